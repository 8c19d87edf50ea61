# --- JSON texts ------------------------------------------------------------------------------------------------------------------------------
# Everything below runs with LC_ALL=C: texts are bytes, so a character that is not ASCII is never a part of what is looked for.

# A regular expression: what %% cuts off a long text takes long.
_cronium_in_string='^[^"\]*'

# Sets _cronium_result to the text as a JSON string.
_cronium_quote() {
	local _text=$1 _code _character
	_text=${_text//\\/\\\\}
	_text=${_text//\"/\\\"}
	if [[ $_text == *[[:cntrl:]]* ]]; then
		_text=${_text//$'\n'/\\n}
		_text=${_text//$'\t'/\\t}
		_text=${_text//$'\r'/\\r}
		while [[ $_text =~ [[:cntrl:]] ]]; do
			_character=${BASH_REMATCH[0]}
			printf -v _code '\\u%04x' "'$_character"
			# Quoted: since Bash 5.2 an ampersand would stand for what was found.
			_text=${_text//"$_character"/"$_code"}
		done
	fi
	_cronium_result="\"$_text\""
}

# Sets _cronium_result to the text that a JSON string stands for. Fails for a NUL, which Bash cannot hold, and for a lone surrogate.
_cronium_unquote() {
	local _text=${1#\"} _found _code
	_text=${_text%\"}
	_cronium_result=$_text
	[[ $_text == *\\* ]] || return 0
	# A backslash that stands for itself is put aside as a byte that no JSON string has: the others begin escapes, each of which is replaced wherever it
	# is by one that printf knows.
	_text=${_text//\\\\/$'\x01'}
	_text=${_text//\\\//\/}
	_text=${_text//\\\"/\"}
	while [[ $_text =~ \\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2}) ]]; do
		_found=${BASH_REMATCH[0]}
		_cronium_escape_character $((0x10000 + ((16#${BASH_REMATCH[1]} - 0xd800) << 10) + 16#${BASH_REMATCH[2]} - 0xdc00))
		_text=${_text//"$_found"/"$_cronium_result"}
	done
	while [[ $_text =~ \\u([0-9a-fA-F]{4}) ]]; do
		_found=${BASH_REMATCH[0]} _code=$((16#${BASH_REMATCH[1]}))
		((_code != 0 && (_code < 0xd800 || _code > 0xdfff))) || return 1
		_cronium_escape_character "$_code"
		_text=${_text//"$_found"/"$_cronium_result"}
	done
	_text=${_text//$'\x01'/\\\\}
	printf -v _cronium_result '%b' "$_text"
}

# Sets _cronium_result to the bytes of the character in UTF-8, as escapes of printf.
_cronium_escape_character() {
	local _code=$1
	if ((_code < 0x80)); then
		printf -v _cronium_result '\\x%02x' "$_code"
	elif ((_code < 0x800)); then
		printf -v _cronium_result '\\x%02x' $((0xc0 | _code >> 6)) $((0x80 | _code & 0x3f))
	elif ((_code < 0x10000)); then
		printf -v _cronium_result '\\x%02x' $((0xe0 | _code >> 12)) $((0x80 | _code >> 6 & 0x3f)) $((0x80 | _code & 0x3f))
	else
		printf -v _cronium_result '\\x%02x' $((0xf0 | _code >> 18)) $((0x80 | _code >> 12 & 0x3f)) $((0x80 | _code >> 6 & 0x3f)) $((0x80 | _code & 0x3f))
	fi
}

_cronium_number='^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?'

# Takes a JSON text apart. Its members or elements are in _cronium_values (JSON texts) afterwards, the names of members in _cronium_names;
# _cronium_kind is what it is. Fails, with the reason in _cronium_problem, when it is not JSON, has a member twice, half of a character, or more than 128 levels (those of a file
# that holds values: as many more as are given).
_cronium_parse() {
	local -i _most=128+${2:-0}
	local _text=$1 _rest='' _name='' _string _part _token _state=value _stack='' _limit
	local -A _seen=()
	local -a _counts=()
	# `rest` is a window of the text, which ends at `at`: every cut copies what is left, which of all of a long text would take minutes.
	local -i _number=0 _at=0 _size=${#1} _from
	_cronium_names=() _cronium_values=() _cronium_kind='' _cronium_problem=''
	while true; do
		_cronium_skip_space
		_token=${_rest:0:1}
		case $_state:$_token in
		value:\{ | value:\[ | first-element:\[ | first-element:\{)
			if [[ -z $_stack ]]; then
				if [[ $_token == '{' ]]; then _cronium_kind=object; else _cronium_kind=array; fi
			fi
			((${#_stack} == 1)) && _from=_at-${#_rest}
			_stack+=$_token
			if ((${#_stack} > _most)); then
				_cronium_problem="is nested more than $_most levels deep (maxJsonDepth)"
				return 1
			fi
			_counts[${#_stack}]=$((++_number))
			_rest=${_rest:1}
			[[ $_token == '{' ]] && _state=first-member || _state=first-element
			continue
			;;
		first-member:\} | first-element:\] | after:\} | after:\])
			_limit=${_stack:${#_stack}-1}
			[[ $_limit$_token == '{}' || $_limit$_token == '[]' ]] || break
			_stack=${_stack%?}
			_rest=${_rest:1}
			_state=after
			;;
		first-member:\" | member:\")
			_cronium_take_string || break
			_cronium_unquote "$_string" || _cronium_result="$_string "
			_name=$_cronium_result
			_part=${_counts[${#_stack}]}:$_name
			if [[ -n ${_seen[$_part]+x} ]]; then
				_cronium_quote "$_name"
				_cronium_problem="has the member $_cronium_result twice"
				return 1
			fi
			_seen[$_part]=1
			_cronium_skip_space
			[[ ${_rest:0:1} == : ]] || break
			_rest=${_rest:1}
			[[ $_stack == '{' ]] && _cronium_names+=("$_name")
			_state=value
			continue
			;;
		after:,)
			[[ -n $_stack ]] || break
			_rest=${_rest:1}
			[[ ${_stack:${#_stack}-1} == '{' ]] && _state=member || _state=value
			continue
			;;
		value:\" | first-element:\")
			((${#_stack} == 1)) && _from=_at-${#_rest}
			[[ -z $_stack ]] && _cronium_kind=string
			_cronium_take_string || break
			_state=after
			;;
		value:[tfn-] | value:[0-9] | first-element:[tfn-] | first-element:[0-9])
			((${#_stack} == 1)) && _from=_at-${#_rest}
			if [[ $_rest =~ ^(true|false|null) ]]; then
				[[ -z $_stack ]] && _cronium_kind=${BASH_REMATCH[0]}
			elif [[ $_rest =~ $_cronium_number ]]; then
				if ((${#BASH_REMATCH[0]} + 2 >= ${#_rest} && _at < _size)); then
					# It may go on behind the window.
					_cronium_widen
					continue
				fi
				[[ -z $_stack ]] && _cronium_kind=number
			else
				break
			fi
			_rest=${_rest:${#BASH_REMATCH[0]}}
			_state=after
			;;
		after:)
			[[ -z $_stack ]] && return 0
			break
			;;
		*) break ;;
		esac
		# A member of the outermost object, or an element of the outermost list, is complete.
		((${#_stack} == 1)) && _cronium_values+=("${_text:_from:_at-${#_rest}-_from}")
	done
	[[ -n $_cronium_problem ]] || _cronium_problem='is not JSON'
	return 1
}

# What follows reads `text` through the window: all three are the caller's.
_cronium_widen() {
	_rest+=${_text:_at:2048}
	_at=$((_at + 2048 < _size ? _at + 2048 : _size))
}

# Afterwards the window begins with a token, all of it unless it is a string or a long number.
_cronium_skip_space() {
	_rest=${_rest#"${_rest%%[!$' \t\n\r']*}"}
	while ((${#_rest} < 32 && _at < _size)); do
		_cronium_widen
		_rest=${_rest#"${_rest%%[!$' \t\n\r']*}"}
	done
}

# Takes a string off the beginning of the window into `string`.
_cronium_take_string() {
	local -i _begin=_at-${#_rest}
	_rest=${_rest:1}
	while true; do
		[[ $_rest =~ $_cronium_in_string ]]
		_rest=${_rest:${#BASH_REMATCH[0]}}
		# The longest escape is a surrogate pair.
		if ((${#_rest} < 12 && _at < _size)); then
			_cronium_widen
			continue
		fi
		case $_rest in
		\"*) break ;;
		\\[\"\\/bfnrt]*) _rest=${_rest:2} ;;
		\\u[dD][89abAB][0-9a-fA-F][0-9a-fA-F]\\u[dD][c-fC-F][0-9a-fA-F][0-9a-fA-F]*) _rest=${_rest:12} ;;
		\\u[dD][89abAB-Fc-f][0-9a-fA-F][0-9a-fA-F]*)
			_cronium_problem='has a lone surrogate (half of a character)'
			return 1
			;;
		\\u[0-9a-fA-F][0-9a-fA-F][0-9a-fA-F][0-9a-fA-F]*) _rest=${_rest:6} ;;
		*) return 1 ;;
		esac
	done
	_rest=${_rest:1}
	_string=${_text:_begin:_at-${#_rest}-_begin}
	[[ $_string != *[$'\x01'-$'\x1f']* ]]
}

# Sets _cronium_result to the JSON text of a member of the object that was parsed last; fails when there is none.
_cronium_member() {
	local _index
	for _index in "${!_cronium_names[@]}"; do
		if [[ ${_cronium_names[_index]} == "$1" ]]; then
			_cronium_result=${_cronium_values[_index]}
			return 0
		fi
	done
	_cronium_result=
	return 1
}
