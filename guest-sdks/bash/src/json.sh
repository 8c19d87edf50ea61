# --- JSON texts ------------------------------------------------------------------------------------------------------------------------------
# Everything below runs with LC_ALL=C: texts are bytes, so a character that is not ASCII is never a part of what is looked for.

# By regular expressions: what %% cuts off a text of 1 MiB takes seconds.
_cronium_in_string='^[^"\]*'
_cronium_before_backslash='^[^\]*'

# Sets _cronium_result to the text as a JSON string.
_cronium_quote() {
	local text=$1 code character
	text=${text//\\/\\\\}
	text=${text//\"/\\\"}
	if [[ $text == *[[:cntrl:]]* ]]; then
		text=${text//$'\n'/\\n}
		text=${text//$'\t'/\\t}
		text=${text//$'\r'/\\r}
		while [[ $text =~ [[:cntrl:]] ]]; do
			character=${BASH_REMATCH[0]}
			printf -v code '\\u%04x' "'$character"
			# Quoted: since Bash 5.2 an ampersand would stand for what was found.
			text=${text//"$character"/"$code"}
		done
	fi
	_cronium_result="\"$text\""
}

# Sets _cronium_result to the text that a JSON string stands for. Fails for a NUL, which Bash cannot hold, and for a lone surrogate.
_cronium_unquote() {
	local rest=${1#\"} text='' code low
	rest=${rest%\"}
	while [[ $rest == *\\* ]]; do
		[[ $rest =~ $_cronium_before_backslash ]]
		text+=${BASH_REMATCH[0]}
		rest=${rest:${#BASH_REMATCH[0]}+1}
		case $rest in
		n*) text+=$'\n' ;;
		t*) text+=$'\t' ;;
		r*) text+=$'\r' ;;
		b*) text+=$'\b' ;;
		f*) text+=$'\f' ;;
		u*)
			code=$((16#${rest:1:4}))
			rest=${rest:4}
			if ((code >= 0xd800 && code < 0xdc00)); then
				[[ $rest =~ ^.\\u([dD][c-fC-F][0-9a-fA-F]{2}) ]] || return 1
				low=$((16#${BASH_REMATCH[1]}))
				code=$((0x10000 + ((code - 0xd800) << 10) + low - 0xdc00))
				rest=${rest:6}
			elif ((code == 0 || (code >= 0xdc00 && code < 0xe000))); then
				return 1
			fi
			_cronium_encode_character "$code"
			text+=$_cronium_result
			;;
		*) text+=${rest:0:1} ;;
		esac
		rest=${rest:1}
	done
	_cronium_result=$text$rest
}

# Sets _cronium_result to the character as UTF-8.
_cronium_encode_character() {
	local code=$1 bytes=
	if ((code < 0x80)); then
		printf -v bytes '\\x%02x' "$code"
	elif ((code < 0x800)); then
		printf -v bytes '\\x%02x' $((0xc0 | code >> 6)) $((0x80 | code & 0x3f))
	elif ((code < 0x10000)); then
		printf -v bytes '\\x%02x' $((0xe0 | code >> 12)) $((0x80 | code >> 6 & 0x3f)) $((0x80 | code & 0x3f))
	else
		printf -v bytes '\\x%02x' $((0xf0 | code >> 18)) $((0x80 | code >> 12 & 0x3f)) $((0x80 | code >> 6 & 0x3f)) $((0x80 | code & 0x3f))
	fi
	printf -v _cronium_result '%b' "$bytes"
}

_cronium_number='^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?'

# Takes a JSON text apart. Its members or elements are in _cronium_values (JSON texts) afterwards, the names of members in _cronium_names;
# _cronium_kind is what it is. Fails, with the reason in _cronium_problem, when it is not JSON, has a member twice, half of a character, or more than 128 levels (those of a file
# that holds values: as many more as are given).
_cronium_parse() {
	local -i most=128+${2:-0}
	local rest=$1 name='' before string part token state=value stack='' path='' limit
	local -A seen=()
	local -a counts=()
	local -i number=0
	_cronium_names=() _cronium_values=() _cronium_kind='' _cronium_problem=''
	while true; do
		rest=${rest#"${rest%%[!$' \t\n\r']*}"}
		token=${rest:0:1}
		case $state:$token in
		value:\{ | value:\[ | first-element:\[ | first-element:\{)
			if [[ -z $stack ]]; then
				if [[ $token == '{' ]]; then _cronium_kind=object; else _cronium_kind=array; fi
			fi
			((${#stack} == 1)) && before=$rest
			stack+=$token
			if ((${#stack} > most)); then
				_cronium_problem="is nested more than $most levels deep (maxJsonDepth)"
				return 1
			fi
			counts[${#stack}]=$((++number))
			rest=${rest:1}
			[[ $token == '{' ]] && state=first-member || state=first-element
			continue
			;;
		first-member:\} | first-element:\] | after:\} | after:\])
			limit=${stack:${#stack}-1}
			[[ $limit$token == '{}' || $limit$token == '[]' ]] || break
			stack=${stack%?}
			rest=${rest:1}
			state=after
			;;
		first-member:\" | member:\")
			_cronium_take_string || break
			_cronium_unquote "$string" || _cronium_result="$string "
			name=$_cronium_result
			part=${counts[${#stack}]}:$name
			if [[ -n ${seen[$part]+x} ]]; then
				_cronium_quote "$name"
				_cronium_problem="has the member $_cronium_result twice"
				return 1
			fi
			seen[$part]=1
			rest=${rest#"${rest%%[!$' \t\n\r']*}"}
			[[ ${rest:0:1} == : ]] || break
			rest=${rest:1}
			[[ $stack == '{' ]] && _cronium_names+=("$name")
			state=value
			continue
			;;
		after:,)
			[[ -n $stack ]] || break
			rest=${rest:1}
			[[ ${stack:${#stack}-1} == '{' ]] && state=member || state=value
			continue
			;;
		value:\" | first-element:\")
			((${#stack} == 1)) && before=$rest
			[[ -z $stack ]] && _cronium_kind=string
			_cronium_take_string || break
			state=after
			;;
		value:[tfn-] | value:[0-9] | first-element:[tfn-] | first-element:[0-9])
			((${#stack} == 1)) && before=$rest
			if [[ $rest =~ ^(true|false|null) ]]; then
				[[ -z $stack ]] && _cronium_kind=${BASH_REMATCH[0]}
			elif [[ $rest =~ $_cronium_number ]]; then
				[[ -z $stack ]] && _cronium_kind=number
			else
				break
			fi
			rest=${rest:${#BASH_REMATCH[0]}}
			state=after
			;;
		after:)
			[[ -z $stack ]] && return 0
			break
			;;
		*) break ;;
		esac
		# A member of the outermost object, or an element of the outermost list, is complete.
		((${#stack} == 1)) && _cronium_values+=("${before:0:${#before}-${#rest}}")
	done
	[[ -n $_cronium_problem ]] || _cronium_problem='is not JSON'
	return 1
}

# Takes a string off the beginning of `rest` into `string`: both are the caller's.
_cronium_take_string() {
	local chunk
	string='"'
	rest=${rest:1}
	while true; do
		[[ $rest =~ $_cronium_in_string ]]
		chunk=${BASH_REMATCH[0]}
		[[ $chunk == *[$'\x01'-$'\x1f']* ]] && return 1
		string+=$chunk
		rest=${rest:${#chunk}}
		case $rest in
		\"*)
			string+='"'
			rest=${rest:1}
			return 0
			;;
		\\[\"\\/bfnrt]*)
			string+=${rest:0:2}
			rest=${rest:2}
			;;
		\\u*)
			[[ $rest =~ ^\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2} || $rest =~ ^\\u[0-9a-fA-F]{4} ]] || return 1
			if [[ ${#BASH_REMATCH[0]} == 6 && ${BASH_REMATCH[0]} == \\u[dD][89abAB-Fc-f]* ]]; then
				_cronium_problem='has a lone surrogate (half of a character)'
				return 1
			fi
			string+=${BASH_REMATCH[0]}
			rest=${rest:${#BASH_REMATCH[0]}}
			;;
		*) return 1 ;;
		esac
	done
}

# Sets _cronium_result to the JSON text of a member of the object that was parsed last; fails when there is none.
_cronium_member() {
	local index
	for index in "${!_cronium_names[@]}"; do
		if [[ ${_cronium_names[index]} == "$1" ]]; then
			_cronium_result=${_cronium_values[index]}
			return 0
		fi
	done
	_cronium_result=
	return 1
}
