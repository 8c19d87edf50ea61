# shellcheck shell=bash disable=SC2034
# Generated from wit/ and guest-sdks/bash/src by "npm run generate". Do not edit.
#
# The helpers of a Cronium script: input, output, variables, condition, event and log, wherever the script runs. Bash 4.4 or later, and curl.
#
#   source cronium.sh
#   orders=$(cronium_get_input)
#   cronium_set_variable seen 3

if [[ -z ${BASH_VERSION-} ]] || ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] < 404)); then
	echo "cronium: unsupported: this file needs Bash 4.4 or later." >&2
	return 22 2>/dev/null || exit 22
fi

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

# --- Calls -----------------------------------------------------------------------------------------------------------------------------------

_cronium_codes=(unauthenticated denied not-found conflict idempotency-mismatch invalid too-large rate-limited timed-out cancelled unavailable tool-failed unsupported internal)

# Says what went wrong, and returns the status of its code: 10 and its place among the codes of the contract.
_cronium_fail() {
	local _code=$1 _index
	CRONIUM_ERROR_CODE=$_code
	[[ ! $2 =~ \((max[A-Za-z]+)\) ]] || CRONIUM_ERROR_LIMIT=${BASH_REMATCH[1]}
	_cronium_say "$_code: $2"
	for _index in "${!_cronium_codes[@]}"; do
		[[ ${_cronium_codes[_index]} == "$_code" ]] && return $((10 + _index))
	done
	return $((9 + ${#_cronium_codes[@]}))
}

# A mistake in how a function was called.
_cronium_misuse() {
	CRONIUM_ERROR_CODE=invalid
	_cronium_say "invalid: $1"
	return 2
}

# A line on standard error. Nothing in it can drive a terminal.
_cronium_say() {
	local _text=$1 _found _code
	while [[ $_text =~ [[:cntrl:]]|$'\xc2'[$'\x80'-$'\x9f']|$'\xe2\x80'[$'\x8e\x8f\xaa'-$'\xae']|$'\xe2\x81'[$'\xa6'-$'\xa9'] ]]; do
		_found=${BASH_REMATCH[0]}
		case ${#_found} in
		1) printf -v _code '\\u%04x' "'$_found" ;;
		2) printf -v _code '\\u%04x' $(($(_cronium_byte "${_found:1:1}"))) ;;
		*) printf -v _code '\\u%04x' $((0x2000 | ($(_cronium_byte "${_found:1:1}") & 0x3f) << 6 | $(_cronium_byte "${_found:2:1}") & 0x3f)) ;;
		esac
		_text=${_text//"$_found"/"$_code"}
	done
	printf 'cronium: %s\n' "$_text" >&2
}

_cronium_byte() {
	local _number
	printf -v _number '%d' "'$1"
	printf '%d' $((_number & 255))
}

# Sets _cronium_result to the text percent-encoded: everything but unreserved characters.
_cronium_encode() {
	local _text=$1 _index _character _number
	_cronium_result=$_text
	[[ $_text == *[!A-Za-z0-9._~-]* ]] || return 0
	_cronium_result=
	for ((_index = 0; _index < ${#_text}; _index++)); do
		_character=${_text:_index:1}
		if [[ $_character != [A-Za-z0-9._~-] ]]; then
			printf -v _number '%d' "'$_character"
			printf -v _character '%%%02X' $((_number & 255))
		fi
		_cronium_result+=$_character
	done
}

# Sets _cronium_result to the text between quotation marks of curl's configuration.
_cronium_configure() {
	_cronium_result=${1//\\/\\\\}
	_cronium_result="\"${_cronium_result//\"/\\\"}\""
}

# The connection that the environment describes, in _cronium_base, _cronium_place and _cronium_origin (`stub` when there is none). Once for a
# shell and its subshells.
_cronium_connect() {
	local _name _given=() _url=${CRONIUM_API_URL-} _socket=${CRONIUM_SOCKET-} _ca=${CRONIUM_CA_CERT-}
	local _certificate=${CRONIUM_CLIENT_CERT-} _key=${CRONIUM_CLIENT_KEY-} _file _wanted=() _verb=is
	for _name in API_URL SOCKET EXECUTION_TOKEN EXECUTION_TOKEN_FILE CA_CERT CLIENT_CERT CLIENT_KEY; do
		_name=CRONIUM_$_name
		[[ -n ${!_name-} ]] && _given+=("$_name")
	done
	if ((${#_given[@]} == 0)); then
		_cronium_origin=stub
		return 0
	fi
	# TLS on a socket is with certificates of both sides, since no public issuer vouches for a socket; a URL may do without.
	local _certificates=$_certificate$_key
	[[ -z $_socket ]] || _certificates+=$_ca
	[[ -n $_url$_socket ]] || _wanted+=('CRONIUM_API_URL or CRONIUM_SOCKET')
	[[ -n ${CRONIUM_EXECUTION_TOKEN-}${CRONIUM_EXECUTION_TOKEN_FILE-} ]] ||
		_wanted+=('CRONIUM_EXECUTION_TOKEN or CRONIUM_EXECUTION_TOKEN_FILE')
	[[ -z $_certificates || -z $_socket || -n $_ca ]] || _wanted+=(CRONIUM_CA_CERT)
	[[ -z $_certificates || -n $_certificate ]] || _wanted+=(CRONIUM_CLIENT_CERT)
	[[ -z $_certificates || -n $_key ]] || _wanted+=(CRONIUM_CLIENT_KEY)
	if ((${#_wanted[@]} > 0)); then
		((${#_wanted[@]} == 1)) || _verb=are
		local _missing _present
		printf -v _missing ', and %s' "${_wanted[@]}"
		printf -v _present ', %s' "${_given[@]}"
		_cronium_fail invalid "${_missing#, and } $_verb missing; there is ${_present#, }."
		return
	fi
	_cronium_place='' _cronium_base=''
	if [[ -n $_socket ]]; then
		_cronium_base=http://localhost
		[[ -z $_ca ]] || _cronium_base=https://localhost
		_cronium_configure "$_socket"
		_cronium_place+="unix-socket = $_cronium_result"$'\n'
	else
		if [[ ! $_url =~ ^(https?)://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[A-Za-z0-9._~%/-]*)?$ ]]; then
			_cronium_fail invalid 'CRONIUM_API_URL must be the URL of a server, such as https://cronium.example:8443.'
			return
		fi
		if [[ ${BASH_REMATCH[1]} == http && ! ${BASH_REMATCH[2]} =~ ^(localhost|127\.[0-9]+\.[0-9]+\.[0-9]+|\[::1\])$ ]]; then
			_cronium_fail invalid 'CRONIUM_API_URL is http: beyond this machine, where the token would travel in clear; use https:.'
			return
		fi
		_cronium_base=$_url
		while [[ $_cronium_base == */ ]]; do _cronium_base=${_cronium_base%/}; done
	fi
	if [[ $_cronium_base == https:* ]]; then
		for _name in CA_CERT:cacert CLIENT_CERT:cert CLIENT_KEY:key; do
			_file=CRONIUM_${_name%:*}
			[[ -n ${!_file-} ]] || continue
			if [[ ! -r ${!_file} ]]; then
				_cronium_fail invalid "$_file: ${!_file} cannot be read."
				return
			fi
			_cronium_configure "${!_file}"
			_cronium_place+="${_name#*:} = $_cronium_result"$'\n'
		done
	fi
	if ! command -v curl >/dev/null; then
		_cronium_fail unsupported 'the Bash SDK needs curl, which is not installed.'
		return
	fi
	_cronium_origin=runtime
}

# What all subshells of a script know together is in a file that has no name any more: the token that one of them has renewed, and the variables of
# the stub. Children of the script inherit it, as they inherit its environment.
_cronium_open_memory() {
	local _name=${TMPDIR:-/tmp}/cronium-$BASHPID-$RANDOM$RANDOM
	_cronium_memory=
	# Nobody else can read it. noclobber refuses only files: a FIFO that somebody has put there would be written to, which waits for a reader.
	if [[ ! -e $_name ]] && (umask 077 && set -C && : >"$_name") 2>/dev/null && { exec {_cronium_memory}<>"$_name"; } 2>/dev/null; then
		command rm -f -- "$_name"
		# Whoever was quicker than the check above would read the token.
		if [[ ! -f /dev/fd/$_cronium_memory || ! -O /dev/fd/$_cronium_memory ]]; then
			exec {_cronium_memory}>&-
			_cronium_memory=
		fi
	fi
}

_cronium_recall() {
	_cronium_result=
	[[ -z $_cronium_memory ]] || IFS= read -r -d '' _cronium_result 2>/dev/null <"/dev/fd/$_cronium_memory" || :
}

_cronium_remember() {
	[[ -z $_cronium_memory ]] || printf '%s' "$1" 2>/dev/null >"/dev/fd/$_cronium_memory"
}

# The token to call with, in _cronium_token; when it is to be renewed, in _cronium_renew_at (seconds since 1970).
_cronium_find_token() {
	local _kept
	_cronium_recall
	# The last line is complete only with its end.
	if [[ $_cronium_result == *$'\n' ]]; then
		read -r _kept _cronium_renew_at <<<"$_cronium_result"
		_cronium_token=$_kept
		return 0
	fi
	_cronium_read_token || return
	_cronium_schedule
}

_cronium_read_token() {
	local _file=${CRONIUM_EXECUTION_TOKEN_FILE-} _text=${CRONIUM_EXECUTION_TOKEN-} _name=CRONIUM_EXECUTION_TOKEN
	if [[ -z $_text ]]; then
		_name="CRONIUM_EXECUTION_TOKEN_FILE: $_file"
		if [[ ! -r $_file ]]; then
			_cronium_fail invalid "$_name cannot be read."
			return
		fi
		# All of it: what ends at a NUL is no token.
		if { IFS= read -r -d '' _text <"$_file"; } 2>/dev/null; then _text=; fi
	fi
	if ! _cronium_take_token "$_text"; then
		_cronium_fail invalid "$_name has no token: a token is of A-Z, a-z, 0-9 and ._~+/=- only."
		return
	fi
}

# Sets _cronium_token to a token without the white space around it; fails for what is none.
_cronium_take_token() {
	[[ $1 =~ ^[[:space:]]*([A-Za-z0-9._~+/=-]+)[[:space:]]*$ ]] && _cronium_token=${BASH_REMATCH[1]}
}

# A token is renewed when less than a quarter of its lifetime is left, by the clock here, which need not be that of the host: a token lasts as long as it says, from when it
# came. How old it was then is what this clock says, within what can be: $1 seconds for one that has just been made.
_cronium_schedule() {
	local _payload=${_cronium_token#*.} _made _lifetime _now _age
	_cronium_renew_at=never
	_payload=${_payload%%.*}
	_cronium_decode_base64 "$_payload"
	if [[ $_cronium_result =~ \"iat\":([0-9]{1,12})[,\}] ]]; then
		_made=${BASH_REMATCH[1]}
		if [[ $_cronium_result =~ \"exp\":([0-9]{1,12})[,\}] ]]; then
			_lifetime=$((BASH_REMATCH[1] - _made))
			printf -v _now '%(%s)T' -1
			_age=$((_now - _made))
			((_age >= 0)) || _age=0
			((_age <= ${1-_age})) || _age=$1
			_cronium_renew_at=$((_now - _age + _lifetime - (_lifetime + 3) / 4))
		fi
	fi
	_cronium_remember "$_cronium_token $_cronium_renew_at"$'\n'
}

# What is no ASCII in it is left out: only numbers are looked for.
_cronium_decode_base64() {
	local _text=$1 _alphabet=ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_ _before _escaped='' _code
	local -i _index _bits=0 _held=0
	for ((_index = 0; _index < ${#_text}; _index++)); do
		_before=${_alphabet%%"${_text:_index:1}"*}
		_held=$(((_held << 6 | ${#_before}) & 0xffff))
		_bits+=6
		((_bits >= 8)) || continue
		_bits+=-8
		_code=$((_held >> _bits & 0xff))
		((_code >= 32 && _code < 127)) || continue
		printf -v _before '\\x%02x' "$_code"
		_escaped+=$_before
	done
	printf -v _cronium_result '%b' "$_escaped"
}

_cronium_renew() {
	local _now
	[[ $_cronium_renew_at == never ]] && return
	printf -v _now '%(%s)T' -1
	((_now >= _cronium_renew_at)) || return
	# A failure is not told: the token may still be good, and the call will say if it is not.
	if _cronium_try POST /v1/token '' none && [[ $_cronium_status == 200 ]] && _cronium_parse "$_cronium_body" && _cronium_member token &&
		[[ $_cronium_result == \"* ]] && _cronium_unquote "$_cronium_result" && _cronium_take_token "$_cronium_result"; then
		_cronium_schedule 1
	else
		_cronium_renew_at=$((_now + 5))
		_cronium_remember "$_cronium_token $_cronium_renew_at"$'\n'
	fi
}

# One request. The answer is in _cronium_status, _cronium_head and _cronium_body; without one it fails, with the problem in _cronium_code and
# _cronium_detail. The token and the body go through descriptors: whoever lists processes sees neither.
_cronium_try() {
	local _method=$1 _path=$2 _headers=$3 _kind=$4 _body=${5-} _config _answer _ended=0
	_config="url = \"$_cronium_base$_path\"
request = \"$_method\"
header = \"Authorization: Bearer $_cronium_token\"
header = \"Accept: application/json, application/problem+json\"
header = \"Expect:\"
user-agent = \"cronium-sdk-bash/0.1.0\"
$_cronium_place$_headers"
	if [[ ${TRACEPARENT-} =~ ^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$ ]]; then
		_config+="header = \"traceparent: $TRACEPARENT\""$'\n'
	fi
	local _flags=(-q -s -i -g --http1.1 --path-as-is --noproxy '*' --connect-timeout 10 --max-time 30 --max-filesize 67108864)
	if [[ $_kind == none ]]; then
		[[ $_method == GET ]] || _config+='header = "Content-Length: 0"'$'\n'
		_answer=$(exec curl "${_flags[@]}" -K <(printf '%s' "$_config") 2>/dev/null </dev/null) || _ended=$?
	else
		_config+='header = "Content-Type: application/json"'$'\n'
		_answer=$(exec curl "${_flags[@]}" -K <(printf '%s' "$_config") --data-binary @<(printf '%s' "$_body") 2>/dev/null </dev/null) || _ended=$?
	fi
	_cronium_code='' _cronium_detail='' _cronium_status='' _cronium_head='' _cronium_body=''
	local _reason='the connection failed' _through=''
	case $_ended in
	0) ;;
	28)
		_cronium_code=timed-out _cronium_detail='The runtime took no connection within 10 seconds, or gave no answer within 30.'
		return 1
		;;
	63)
		_cronium_code=too-large _cronium_detail='The answer has more than 67108864 bytes.'
		return 1
		;;
	*)
		case $_ended in
		6) _reason='its name has no address' ;;
		7) _reason='nothing takes connections there' ;;
		35) _reason='the TLS handshake failed' ;;
		60) _reason='its certificate is not trusted' ;;
		esac
		[[ -z ${CRONIUM_SOCKET-} ]] || _through=" through the socket $CRONIUM_SOCKET"
		_cronium_code=unavailable _cronium_detail="The runtime cannot be reached$_through: $_reason (curl ended with $_ended)."
		return 1
		;;
	esac
	while [[ $_answer == HTTP/1.[01]\ 1* ]]; do _answer=${_answer#*$'\r\n\r\n'}; done
	_cronium_status=${_answer:9:3}
	_cronium_body=${_answer#*$'\r\n\r\n'}
	_cronium_head=${_answer:0:${#_answer}-${#_cronium_body}}
}

# Sets _cronium_result to a header of the answer; fails when it has none.
_cronium_header() {
	local _rest=$_cronium_head _line _name
	while [[ $_rest == *$'\r\n'* ]]; do
		_line=${_rest%%$'\r\n'*}
		_rest=${_rest#*$'\r\n'}
		_name=${_line%%:*}
		if [[ ${_name,,} == "${1,,}" ]]; then
			_cronium_result=${_line#*:}
			_cronium_result=${_cronium_result# }
			return 0
		fi
	done
	_cronium_result=
	return 1
}

# Reads the problem that was answered into _cronium_code, _cronium_detail, _cronium_wait (milliseconds), CRONIUM_ERROR_LIMIT and CRONIUM_CURRENT_VERSION. What is not the
# runtime's own (a proxy's page) is not quoted.
_cronium_read_problem() {
	_cronium_wait=0
	if _cronium_header Retry-After && [[ $_cronium_result =~ ^[0-9]{1,9}$ ]]; then _cronium_wait=$((10#$_cronium_result * 1000)); fi
	if ((${#_cronium_body} < 65536)) && _cronium_parse "$_cronium_body" && _cronium_member code && [[ $_cronium_result == \"* ]]; then
		_cronium_unquote "$_cronium_result"
		_cronium_code=$_cronium_result
		if _cronium_member detail && _cronium_unquote "$_cronium_result"; then
			_cronium_detail=$_cronium_result
			if _cronium_member retryAfterMs && [[ $_cronium_result =~ ^[0-9]{1,12}$ ]]; then _cronium_wait=$_cronium_result; fi
			if _cronium_member limit && [[ $_cronium_result =~ \"name\":\"([A-Za-z]+)\" ]]; then CRONIUM_ERROR_LIMIT=${BASH_REMATCH[1]}; fi
			if _cronium_member currentVersion && _cronium_unquote "$_cronium_result"; then CRONIUM_CURRENT_VERSION=$_cronium_result; fi
			return
		fi
	fi
	_cronium_code=internal
	case $_cronium_status in 429 | 502 | 503 | 504) _cronium_code=unavailable ;; esac
	_cronium_detail="The server answered with status $_cronium_status and no problem details."
}

# A call, and again where that is safe: a read, or a call with its idempotency key. Succeeds with the answer, or with a missing thing (404).
_cronium_send() {
	local _method=$1 _path=$2 _headers=$3 _kind=$4 _body=${5-} _effect=$6 _tries _id _reloaded='' _wait _longest _seconds _refused
	_cronium_find_token || return
	_cronium_renew
	if [[ -n $_effect ]]; then
		_cronium_random_id
		_headers+="header = \"Idempotency-Key: $_cronium_result\""$'\n'
	fi
	for ((_tries = 1; ; _tries++)); do
		local _repeat=''
		_cronium_wait=0
		if _cronium_try "$_method" "$_path" "$_headers" "$_kind" "$_body"; then
			if [[ $_cronium_status == 2?? || $_cronium_status == 404 ]]; then return 0; fi
			_cronium_read_problem
			if [[ $_cronium_code == unauthenticated && -z $_reloaded && -z ${CRONIUM_EXECUTION_TOKEN-} ]]; then
				_reloaded=1 _refused=$_cronium_token
				_cronium_read_token || return
				if [[ $_cronium_token != "$_refused" ]]; then
					_cronium_schedule
					_tries=$((_tries - 1))
					continue
				fi
			fi
			case $_cronium_status:$_cronium_code in
			5*:timed-out | 5*:tool-failed | 5*:internal | 5*:unsupported) ;;
			429:* | 502:* | 503:* | 504:*) _repeat=1 ;;
			esac
		elif [[ $_cronium_code == unavailable || $_cronium_code == timed-out ]]; then
			_repeat=1
		fi
		_longest=$((100 << (_tries - 1)))
		((_longest <= 5000)) || _longest=5000
		_wait=$((RANDOM * _longest / 32768))
		((_wait >= _cronium_wait)) || _wait=$_cronium_wait
		# A server that asks for more is not waited for.
		if [[ -z $_repeat ]] || ((_tries >= 5 || _wait > 60000)); then
			_cronium_fail "$_cronium_code" "$_cronium_detail"
			return
		fi
		printf -v _seconds '%d.%03d' $((_wait / 1000)) $((_wait % 1000))
		command sleep "$_seconds"
	done
}

_cronium_random_id() {
	if ! IFS= read -r _cronium_result </proc/sys/kernel/random/uuid; then
		printf -v _cronium_result '%04x' $RANDOM $RANDOM $RANDOM $RANDOM $RANDOM $RANDOM $RANDOM $RANDOM $BASHPID $SECONDS
	fi 2>/dev/null
}

# Performs a function of the contract: its name, its usage, its method, its path, whether it changes something, what it returns, and its
# parameters (`name place wire form`, with `!` before the name of one that is required); behind `--` what it was called with.
_cronium_perform() {
	# What the caller has set is set again when this returns, and what this does is not traced: it knows the token.
	{
		local -
		set +euxfvTE +o pipefail
	} 2>/dev/null
	local LC_ALL=C IFS=$' \t\n' _nocase=''
	shopt -q nocasematch && _nocase=1
	[[ -z $_nocase ]] || shopt -u nocasematch
	_cronium_perform_call "$@"
	local _status=$?
	[[ -z $_nocase ]] || shopt -s nocasematch
	return $_status
}

_cronium_perform_call() {
	local _operation=$1 _usage="cronium_$1 $2" _method=$3 _path=$4 _effect=$5 _returns=$6 _parameters=() _given=() _required='' _text='' _parameter
	shift 6
	CRONIUM_ERROR_CODE='' CRONIUM_ERROR_LIMIT='' CRONIUM_CURRENT_VERSION=''
	local -A _options=()
	while [[ $1 != -- ]]; do
		_parameters+=("$1")
		shift
	done
	shift
	local _name _place _wire _form _optional _words=()
	# Arguments first: a key may look like an option.
	for _parameter in "${_parameters[@]}"; do
		read -r _name _place _wire _form <<<"$_parameter"
		[[ $_name == --* ]] && continue
		if (($# == 0)); then
			if [[ $_name == !* ]]; then
				_cronium_misuse "usage: $_usage"
				return
			fi
			break
		fi
		[[ $_name != !* && $1 == --* && $_form != text ]] && break
		_words+=("${_name#!} $_place $_wire $_form")
		_given+=("$1")
		shift
	done
	while (($# > 0)); do
		case $1 in
		--required) _required=1 ;;
		--text) _text=1 ;;
		--*)
			_parameter=
			for _parameter in "${_parameters[@]}" ''; do [[ $_parameter == "$1 "* ]] && break; done
			if [[ -z $_parameter ]]; then
				_cronium_misuse "there is no option $1; usage: $_usage"
				return
			fi
			_words+=("${_parameter#--}")
			if [[ $_parameter == *\ star ]]; then
				_given+=(true)
			elif (($# < 2)); then
				_cronium_misuse "$1 needs a value; usage: $_usage"
				return
			else
				_given+=("$2")
				shift
			fi
			;;
		*)
			_cronium_misuse "there is an argument too much; usage: $_usage"
			return
			;;
		esac
		shift
	done
	if [[ $_returns != json && $_returns != entry && -n $_required$_text ]]; then
		_cronium_misuse "--required and --text are for values; usage: $_usage"
		return
	fi
	[[ -n ${_cronium_origin-} ]] || _cronium_connect || return
	local _output='' _missing=''
	if [[ $_cronium_origin == stub ]]; then
		_cronium_stub "$_operation" || return
	else
		_cronium_call || return
	fi
	if [[ -n $_missing ]]; then
		[[ -z $_required ]] || return 1
		return 0
	fi
	# None is nothing; a value that is null is a value.
	[[ -n $_output && $_returns:$_output != plain:null ]] || return 0
	if [[ $_returns == text || -n $_text && $_output == \"* ]] && ! _cronium_unquote "$_output"; then
		_cronium_fail invalid 'the text has a NUL character, which Bash cannot hold.'
		return
	elif [[ $_returns == text || -n $_text && $_output == \"* ]]; then
		_output=$_cronium_result
	fi
	printf '%s\n' "$_output"
}

# Makes the request of a call of `words` and `given`, and its result of the answer: `output`, or `missing`. All are the caller's.
_cronium_call() {
	local _index _name _place _wire _form _value _headers='' _query='' _members='' _body='' _kind=none
	for _index in "${!_words[@]}"; do
		read -r _name _place _wire _form <<<"${_words[_index]}"
		_value=${_given[_index]}
		_cronium_check "$_name" "$_form" "$_value" || return
		case $_place in
		path)
			_cronium_encode "$_value"
			_path=${_path/"{$_wire}"/"$_cronium_result"}
			;;
		query)
			_cronium_encode "$_value"
			_query+="&$_wire=$_cronium_result"
			;;
		header)
			if [[ $_form == etag ]]; then _value="\\\"$_value\\\""; else _value='*'; fi
			_headers+="header = \"$_wire: $_value\""$'\n'
			;;
		body)
			_kind=json
			_cronium_standard_input
			[[ $_form != string ]] || _cronium_quote "$_value"
			[[ $_form == string ]] || _cronium_result=$_value
			if [[ $_wire == - ]]; then _body=$_cronium_result; else _members+=",\"$_wire\":$_cronium_result"; fi
			;;
		esac
	done
	[[ -z $_members ]] || _body="{${_members:1}}"
	[[ -z $_query ]] || _path+="?${_query:1}"
	_cronium_send "$_method" "$_path" "$_headers" "$_kind" "$_body" "$_effect" || return
	if [[ $_cronium_status == 404 ]]; then
		if _cronium_header Content-Type && [[ $_cronium_result == application/problem+json* ]]; then
			_cronium_read_problem
			if [[ $_returns == json || $_returns == entry ]]; then
				_missing=1
				return 0
			fi
			_cronium_fail "$_cronium_code" "$_cronium_detail"
			return
		fi
		_cronium_fail unavailable 'The server does not have the runtime API at this URL (404).'
		return
	fi
	[[ $_returns == none ]] && return 0
	_output=$_cronium_body
	if [[ $_returns == entry ]]; then
		_output="{\"value\":$_cronium_body,\"metadata\":{"
		_cronium_header ETag
		_cronium_result=${_cronium_result#\"}
		_output+="\"version\":\"${_cronium_result%\"}\""
		for _name in Created-At:createdAt Updated-At:updatedAt Updated-By:updatedBy Expires-At:expiresAt; do
			_cronium_header "Cronium-${_name%:*}" && _output+=",\"${_name#*:}\":\"$_cronium_result\""
		done
		_output+=",\"size\":${#_cronium_body}}}"
	fi
}

# Refuses what has no form in a request, or would be another request.
_cronium_check() {
	local _name=$1 _form=$2 _value=$3
	case $_form in
	etag)
		[[ -n $_value && $_value != *[!!-~]* && $_value != *[\"\\]* ]] && return
		_cronium_fail invalid "$_name must be a version, as a call has printed it."
		;;
	number)
		[[ $_value =~ $_cronium_number && ${#BASH_REMATCH[0]} == "${#_value}" ]] && return
		_cronium_fail invalid "$_name must be a number; it is $_value."
		;;
	boolean)
		[[ $_value == true || $_value == false ]] && return
		_cronium_fail invalid "$_name must be true or false; it is $_value."
		;;
	object)
		if ! _cronium_parse "$_value"; then
			_cronium_fail invalid "$_name $_cronium_problem."
		elif [[ $_cronium_kind != object ]]; then
			_cronium_fail invalid "$_name must be a JSON object."
		fi
		;;
	esac
}

# `-` for a value is what standard input holds. `value` and `form` are the caller's.
_cronium_standard_input() {
	[[ $_form == json && $_value == - ]] || return 0
	_value=$(command cat; printf x)
	_value=${_value%x}
	while [[ $_value == *$'\n' ]]; do _value=${_value%$'\n'}; done
}

# Succeeds when jq is there and better: Bash takes long for long texts. A jq before 1.7 writes some numbers in another form, so it gets none of those.
_cronium_is_for_jq() {
	((${#1} > 4096)) && command -v jq >/dev/null || return
	[[ ! $1 =~ [0-9]{16}|[0-9][.eE] || $(command jq -nc '[1.50,100000000000000000001]') == '[1.50,100000000000000000001]' ]]
}

# Runs an inner function with the caller's settings put aside, for those that are called directly.
_cronium_aside() {
	{
		local -
		set +euxfvTE +o pipefail
	} 2>/dev/null
	local LC_ALL=C IFS=$' \t\n'
	"$@"
}

# Prints a text as a JSON string: cronium_set_variable name "$(cronium_string "$text")"
cronium_string() {
	_cronium_aside _cronium_quote "${1-}" && printf '%s\n' "$_cronium_result"
}

# Prints the text that a JSON string stands for; other values as they are.
cronium_text() {
	case ${1-} in
	\"*) _cronium_aside _cronium_print_text "$1" ;;
	*) printf '%s\n' "${1-}" ;;
	esac
}

_cronium_print_text() {
	if ! _cronium_parse "$1" || [[ $_cronium_kind != string ]]; then
		_cronium_fail invalid "the text ${_cronium_problem:-is no JSON string}."
	elif ! _cronium_unquote "$1"; then
		_cronium_fail invalid 'the text has a NUL character, which Bash cannot hold.'
	else
		printf '%s\n' "$_cronium_result"
	fi
}

# Prints a number as JSON; what is none is an error.
cronium_number() {
	_cronium_aside _cronium_check 'the number' number "${1-}" && printf '%s\n' "$1"
}

# Prints a member of a JSON object: cronium_member "$order" total. Nothing, and status 1, when there is none.
cronium_member() {
	_cronium_aside _cronium_print_member "${1-}" "${2-}"
}

_cronium_print_member() {
	if _cronium_is_for_jq "$1" && _cronium_result=$(printf '%s' "$1" | command jq -c --arg name "$2" 'has($name), .[$name]' 2>/dev/null); then
		[[ $_cronium_result == true* ]] || return 1
		printf '%s\n' "${_cronium_result#*$'\n'}"
	elif ! _cronium_parse "$1"; then
		_cronium_fail invalid "the object $_cronium_problem."
	elif [[ $_cronium_kind != object ]]; then
		_cronium_fail invalid 'the value is no JSON object.'
	else
		_cronium_member "$2" && printf '%s\n' "$_cronium_result"
	fi
}

# Prints the elements of a JSON list, one a line.
cronium_elements() {
	_cronium_aside _cronium_print_elements "${1-}"
}

_cronium_print_elements() {
	local _index
	if _cronium_is_for_jq "$1" && [[ $1 == *([[:space:]])\[* ]] && _cronium_result=$(printf '%s' "$1" | command jq -c '.[]' 2>/dev/null); then
		[[ -z $_cronium_result ]] || printf '%s\n' "$_cronium_result"
	elif ! _cronium_parse "$1"; then
		_cronium_fail invalid "the list $_cronium_problem."
	elif [[ $_cronium_kind != array ]]; then
		_cronium_fail invalid 'the value is no JSON list.'
	else
		# A line feed between two tokens is as good as a space; inside of strings there is none.
		for _index in "${!_cronium_values[@]}"; do printf '%s\n' "${_cronium_values[_index]//$'\n'/ }"; done
	fi
}

# --- The stub: the same answers and errors, from files and the environment ----------------------------------------------------------------------

_cronium_max_bytes=1048576

# Does what the runtime would. What it knows is in the memory of the script, its variables in the file CRONIUM_STUB_STATE when there is one; the
# arguments (`words`, `given`) and the result (`output`, `missing`) are the caller's.
_cronium_stub() {
	local _operation=$1 _state _input='' _event='' _condition='' _next=1 _kept='' _started _changed='' _index _name _place _wire _form
	local -A _values=() _versions=() _created=() _updated=() _by=() _expires=() _argument=()
	for _index in "${!_words[@]}"; do
		read -r _name _place _wire _form <<<"${_words[_index]}"
		# Arguments that have no form in a request are refused as they would be there.
		_cronium_check "$_name" "$_form" "${_given[_index]}" || return
		local _value=${_given[_index]}
		_cronium_standard_input
		_argument[$_name]=$_value
	done
	local _before=''
	_cronium_recall
	if [[ -n $_cronium_result ]]; then
		# Nobody but this script can have written it.
		eval "$_cronium_result"
		_state=${_cronium_stub_state-} _before=$_kept
		if [[ -n $_state && -e $_state ]]; then _cronium_stub_load || return; fi
	else
		_cronium_say 'no connection is configured; this is the stub (nothing leaves this process)'
		_cronium_stub_settings || return
		_changed=memory
	fi
	case $_operation in
	get_input) _output=${_input:-null} ;;
	set_output)
		_cronium_stub_value value maxOutputBytes output || return
		_cronium_say "output ${_argument[value]}"
		;;
	get_variable | get_variable_entry) _cronium_stub_get || return ;;
	set_variable) _cronium_stub_set || return ;;
	delete_variable) _cronium_stub_delete || return ;;
	list_variables) _cronium_stub_list || return ;;
	increment_variable) _cronium_stub_increment || return ;;
	set_condition)
		_condition=${_argument[value]}
		_changed=${_changed:-memory}
		_cronium_say "condition $_condition"
		;;
	get_condition) _output=${_condition:-null} ;;
	get_event_context) _cronium_stub_context ;;
	write_log) _cronium_stub_log || return ;;
	*) _cronium_fail unsupported "The stub does not have cronium_$_operation." || return ;;
	esac
	[[ $_changed != variables || -z $_state ]] || _cronium_stub_save || return
	# A state that was read anew is worth remembering, too.
	[[ $_kept == "$_before" ]] || _changed=${_changed:-memory}
	if [[ -n $_changed ]]; then
		local _cronium_stub_state=$_state
		_cronium_remember "$(declare -p _input _event _condition _started _cronium_stub_state _kept _next _values _versions _created _updated _by _expires)"
	fi
}

# --- Sources: later ones are stronger

_cronium_stub_settings() {
	local _source _text _file
	local -A _settings=()
	if [[ -r .env ]]; then _cronium_stub_env || return; fi
	for _name in "${!CRONIUM_STUB_@}"; do [[ -z ${!_name} ]] || _settings[$_name]=${!_name}; done
	printf -v _started '%(%s)T' -1
	_state=${_settings[CRONIUM_STUB_STATE]-}
	[[ -z $_state || $_state == /* ]] || _state=$PWD/$_state
	if [[ -n $_state && -e $_state ]]; then _cronium_stub_load || return; fi
	local -A _found=()
	_file=${_settings[CRONIUM_STUB_FIXTURE]-}
	if [[ -n $_file ]]; then
		_cronium_stub_file "$_file" CRONIUM_STUB_FIXTURE object || return
		if ! _cronium_stub_is fixture; then
			_cronium_fail invalid "$_file is not a fixture of format 1, as cronium run --record writes it."
			return
		fi
		_cronium_stub_take "$_file" || return
	fi
	_file=${_settings[CRONIUM_STUB_FILE]-}
	if [[ -n $_file ]]; then
		_cronium_stub_file "$_file" CRONIUM_STUB_FILE object || return
		_cronium_stub_take "$_file" || return
	elif [[ -e cronium.local.json ]]; then
		_cronium_stub_file cronium.local.json cronium.local.json object || return
		_cronium_stub_take cronium.local.json || return
	fi
	for _name in input variables event condition; do
		_source=CRONIUM_STUB_${_name^^}
		_text=${_settings[$_source]-}
		[[ -n $_text ]] || continue
		if [[ $_text == @* ]]; then
			_cronium_stub_file "${_text#@}" "$_source" || return
		elif ! _cronium_parse "$_text" 4; then
			_cronium_fail invalid "$_source $_cronium_problem."
			return
		else
			_cronium_text=$_text
		fi
		_cronium_stub_take_one "$_name" "$_cronium_text" "$_source" || return
	done
	for _name in "${!_found[@]}"; do
		_cronium_stub_key "${_name#=}" || return
		_cronium_stub_find "${_name#=}" || _cronium_stub_write "${_name#=}" "${_found[$_name]}" ''
	done
}

# `NAME=value` a line; of others than the stub's own nothing is taken.
_cronium_stub_env() {
	local _line _number=0 _value _quote
	while IFS= read -r _line || [[ -n $_line ]]; do
		_number=$((_number + 1))
		_line=${_line%$'\r'}
		[[ $_line =~ ^[[:space:]]*(export[[:space:]]+)?(CRONIUM_STUB_[A-Z0-9_a-z]+)[[:space:]]*=[[:space:]]*(.*)$ ]] || continue
		_name=${BASH_REMATCH[2]} _value=${BASH_REMATCH[3]}
		_value=${_value%"${_value##*[![:space:]]}"}
		_quote=${_value:0:1}
		if [[ $_quote == [\'\"] ]]; then
			_value=${_value:1}
			if [[ $_value != *"$_quote"* ]]; then
				_cronium_fail invalid ".env, line $_number: the value of $_name has no closing quote."
				return
			fi
			_value=${_value%"$_quote"*}
			if [[ $_quote == '"' ]]; then
				for _quote in '"' '\' '$' '`'; do _value=${_value//"\\$_quote"/"$_quote"}; done
				_value=${_value//\\n/$'\n'}
			fi
		elif [[ $_value =~ ^(.*[^[:space:]])?[[:space:]]+#.*$ || $_value == \#* ]]; then
			_value=${BASH_REMATCH[1]-}
		fi
		[[ -z $_value ]] || _settings[$_name]=$_value
	done <.env
}

# Reads a JSON file into _cronium_text, and takes it apart.
_cronium_stub_file() {
	local _file=$1 _source=$2 _kind=${3-}
	if [[ ! -f $_file || ! -r $_file ]] || ! _cronium_text=$(command cat -- "$_file" 2>/dev/null); then
		_cronium_fail invalid "$_source: $_file cannot be read."
	elif ! _cronium_parse "$_cronium_text" 4; then
		_cronium_fail invalid "$_source: $_file $_cronium_problem."
	elif [[ -n $_kind && $_cronium_kind != "$_kind" ]]; then
		_cronium_fail invalid "$_file must be a JSON $_kind."
	fi
}

# Succeeds when the file that was read last is one of ours, of this kind and format 1.
_cronium_stub_is() {
	local _kind
	[[ $_cronium_kind == object ]] && _cronium_member cronium || return 1
	_kind=$_cronium_result
	[[ $_kind == "\"$1\"" ]] && _cronium_member format && [[ $_cronium_result == 1 ]]
}

# Takes the members of the object that was read last.
_cronium_stub_take() {
	local _origin=$1 _member _index
	local _names=("${_cronium_names[@]}") _texts=("${_cronium_values[@]}")
	for _index in "${!_names[@]}"; do
		_member=${_names[_index]}
		case $_member in
		input | condition) ;;
		variables | event) [[ ${_texts[_index]} != null ]] || continue ;;
		*) continue ;;
		esac
		_cronium_parse "${_texts[_index]}" 4
		_cronium_stub_take_one "$_member" "${_texts[_index]}" "$_member in $_origin" || return
	done
}

# Takes one value, which has been taken apart.
_cronium_stub_take_one() {
	local _index
	case $1 in
	input) _input=$2 ;;
	condition)
		if [[ $2 != true && $2 != false && $2 != null ]]; then
			_cronium_fail invalid "$3 must be true, false or null."
			return
		fi
		_condition=${2#null}
		;;
	variables | event)
		if [[ $_cronium_kind != object ]]; then
			_cronium_fail invalid "$3 must be a JSON object."
			return
		fi
		[[ $1 != event ]] || _event=$2
		[[ $1 != variables ]] || for _index in "${!_cronium_names[@]}"; do _found[=${_cronium_names[_index]}]=${_cronium_values[_index]}; done
		;;
	esac
}

# --- Variables

_cronium_stub_key() {
	local _key=$1 _bytes=${1//[$'\x80'-$'\xbf']/}
	if [[ $_key == *[[:cntrl:]]* || $_key == *$'\xc2'[$'\x80'-$'\x9f']* ]]; then
		_cronium_quote "$_key"
		_cronium_fail invalid "key $_cronium_result has a control character."
	elif ((${#_bytes} < 1 || ${#_bytes} > 255)); then
		_cronium_fail invalid "key has ${#_bytes} characters; it must have 1 to 255 (maxKeyCharacters)."
	elif [[ $_key == . || $_key == .. ]]; then
		_cronium_fail invalid "key must not be \"$_key\"."
	fi
}

# Succeeds when there is such a variable that has not expired.
_cronium_stub_find() {
	local _at="=$1"
	[[ -n ${_versions["$_at"]-} ]] || return 1
	[[ -n ${_expires["$_at"]-} ]] || return 0
	_cronium_now
	[[ ! ${_expires["$_at"]} > $_cronium_result ]] || return 0
	_versions["$_at"]=
	return 1
}

_cronium_stub_write() {
	local _at="=$1"
	_cronium_stub_find "$1" || _created["$_at"]=
	_cronium_now
	[[ -n ${_created["$_at"]} ]] || _created["$_at"]=$_cronium_result
	_values["$_at"]=$2 _versions["$_at"]=$((_next++)) _updated["$_at"]=$_cronium_result _by["$_at"]=stub _expires["$_at"]=$3
	_changed=variables
}

_cronium_stub_get() {
	local _key=${_argument[key]}
	_cronium_stub_key "$_key" || return
	if ! _cronium_stub_find "$_key"; then
		_missing=1
		return 0
	fi
	_output=${_values["=$_key"]}
	[[ $_operation == get_variable ]] && return 0
	_cronium_stub_metadata "$_key"
	_output="{\"value\":$_output,\"metadata\":$_cronium_result}"
}

_cronium_stub_metadata() {
	local _at="=$1" _text
	_text="{\"version\":\"${_versions["$_at"]}\",\"createdAt\":\"${_created["$_at"]}\",\"updatedAt\":\"${_updated["$_at"]}\""
	_text+=",\"updatedBy\":\"${_by["$_at"]}\",\"size\":${#_values["$_at"]}"
	[[ -z ${_expires["$_at"]-} ]] || _text+=",\"expiresAt\":\"${_expires["$_at"]}\""
	_cronium_result="$_text}"
}

# Checks a value that is to be kept.
_cronium_stub_value() {
	local _text=${_argument[$1]}
	if ((${#_text} > _cronium_max_bytes)); then
		_cronium_fail too-large "$3 has ${#_text} bytes; the limit is $_cronium_max_bytes ($2)."
	elif ! _cronium_parse "$_text"; then
		_cronium_fail invalid "$3 $_cronium_problem."
	fi
}

_cronium_stub_set() {
	local _key=${_argument[key]} _wanted=${_argument[if-version]-} _absent=${_argument[if-absent]-} _later=${_argument[expires-in-ms]-} _until=''
	_cronium_stub_key "$_key" || return
	_cronium_stub_value value maxValueBytes value || return
	if [[ -n $_wanted && -n $_absent ]]; then
		_cronium_fail invalid '--if-version and --if-absent exclude each other.'
		return
	fi
	if [[ -n ${_argument[expires-in-ms]+x} ]]; then
		if [[ ! $_later =~ ^[1-9][0-9]{0,15}$ ]]; then
			_cronium_fail invalid "expires-in-ms is $_later; it must be a whole number from 1."
			return
		fi
		_cronium_now "$_later"
		_until=$_cronium_result
	fi
	_cronium_stub_version "$_key" "$_wanted" "$_absent" || return
	_cronium_stub_write "$_key" "${_argument[value]}" "$_until"
	_output="\"${_versions["=$_key"]}\""
	_cronium_quote "$_key"
	_cronium_say "variable $_cronium_result = ${_argument[value]}"
}

_cronium_stub_version() {
	local _key=$1 _wanted=$2 _absent=$3 _current='' _state='there is no such variable'
	if _cronium_stub_find "$_key"; then _current=${_versions["=$_key"]} _state="it has the version $_current"; fi
	if [[ -n $_absent ]]; then
		[[ -n $_current ]] || return 0
	elif [[ -z $_wanted || $_wanted == "$_current" ]]; then
		return 0
	fi
	CRONIUM_CURRENT_VERSION=$_current
	_cronium_quote "$_key"
	_cronium_fail conflict "The variable $_cronium_result is not as expected: $_state."
}

_cronium_stub_delete() {
	local _key=${_argument[key]}
	_cronium_stub_key "$_key" || return
	_cronium_stub_version "$_key" "${_argument[if-version]-}" '' || return
	_output=false
	_cronium_stub_find "$_key" || return 0
	_versions["=$_key"]=
	_changed=variables
	_output=true
	_cronium_quote "$_key"
	_cronium_say "variable $_cronium_result deleted"
}

_cronium_stub_list() {
	local _prefix=${_argument[prefix]-} _cursor=${_argument[cursor]-} _limit=${_argument[limit]-100} _after='' _key _other _sorted=() _items='' _count=0 _last _index
	if [[ ! $_limit =~ ^[1-9][0-9]{0,9}$ ]] || ((_limit > 1000)); then
		_cronium_fail invalid "limit is $_limit; it must be a whole number from 1 to 1000 (maxPageSize)."
		return
	fi
	if [[ -n ${_argument[cursor]+x} ]]; then
		# The bytes of the last key in hexadecimal.
		if [[ ! $_cursor =~ ^k(([0-9a-f]{2})+)$ ]]; then
			_cronium_fail invalid 'cursor is not one that a page had.'
			return
		fi
		_after=${BASH_REMATCH[1]}
		_other=
		for ((_index = 0; _index < ${#_after}; _index += 2)); do _other+="\\x${_after:_index:2}"; done
		printf -v _after '%b' "$_other"
	fi
	for _key in "${!_versions[@]}"; do
		_key=${_key#=}
		if [[ $_key != "$_prefix"* ]] || ! _cronium_stub_find "$_key"; then continue; fi
		[[ -z ${_argument[cursor]+x} || $_key > $_after ]] || continue
		# In the order of their bytes.
		for ((_index = ${#_sorted[@]}; _index > 0; _index--)); do
			[[ ${_sorted[_index - 1]} > $_key ]] || break
			_sorted[_index]=${_sorted[_index - 1]}
		done
		_sorted[_index]=$_key
	done
	for _key in "${_sorted[@]:0:_limit}"; do
		_cronium_quote "$_key"
		_items+=",{\"key\":$_cronium_result"
		_cronium_stub_metadata "$_key"
		_items+=",\"metadata\":$_cronium_result}"
		_last=$_key
	done
	_output="{\"items\":[${_items:1}]"
	if ((${#_sorted[@]} > _limit)); then
		_cursor=k
		for ((_index = 0; _index < ${#_last}; _index++)); do
			printf -v _count '%d' "'${_last:_index:1}"
			printf -v _count '%02x' $((_count & 255))
			_cursor+=$_count
		done
		_output+=",\"cursor\":\"$_cursor\""
	fi
	_output+='}'
}

_cronium_stub_increment() {
	local _key=${_argument[key]} _amount=${_argument[by]-1} _value=0 _until=''
	_cronium_stub_key "$_key" || return
	if _cronium_stub_find "$_key"; then _value=${_values["=$_key"]} _until=${_expires["=$_key"]}; fi
	_cronium_quote "$_key"
	local _shown=$_cronium_result
	if [[ ! $_value =~ $_cronium_number || ${#BASH_REMATCH[0]} != "${#_value}" ]]; then
		_cronium_fail invalid "The variable $_shown is not a number."
		return
	fi
	if [[ $_value$_amount =~ ^[-0-9]{1,30}$ ]] && ((${#_value} < 17 && ${#_amount} < 17)); then
		_cronium_result=$((_value + _amount))
	else
		_cronium_add "$_value" "$_amount"
	fi
	if [[ ! $_cronium_result =~ $_cronium_number ]] || _cronium_is_unsafe "$_cronium_result"; then
		_cronium_fail invalid "The sum $_cronium_result is beyond ±(2^53−1) or not finite."
		return
	fi
	_output=$_cronium_result
	_cronium_stub_write "$_key" "$_output" "$_until"
	_cronium_say "variable $_shown = $_output"
}

# Succeeds for an integer beyond what a double can count.
_cronium_is_unsafe() {
	[[ $1 =~ ^-?[0-9]+$ ]] && ((${#1} > 17 || ${1#-} > 9007199254740991))
}

# Doubles, in the shortest form that stands for them.
_cronium_add() {
	_cronium_result=$(command awk -v a="$1" -v b="$2" 'BEGIN {
		sum = a + b
		if (sum > 1.7976931348623157e308 || sum < -1.7976931348623157e308) { print "Infinity"; exit }
		for (digits = 1; digits <= 17; digits++) { text = sprintf("%." digits "g", sum); if (text + 0 == sum) break }
		if (sum == int(sum) && sum < 1e21 && sum > -1e21) text = sprintf("%.0f", sum)
		print text
	}')
}

# --- The rest

_cronium_stub_context() {
	local _text=${_event:-"{}"} _from _until
	TZ=UTC0 printf -v _from '%(%Y-%m-%dT%H:%M:%S)T.000Z' "$_started"
	TZ=UTC0 printf -v _until '%(%Y-%m-%dT%H:%M:%S)T.000Z' $((_started + 86400))
	_cronium_parse "$_text"
	_text=${_text%\}*}
	((${#_cronium_names[@]} == 0)) || _text+=,
	_output="$_text\"execution\":{\"id\":\"stub\",\"namespace\":\"stub\",\"mode\":\"external\",\"attempt\":1"
	_output+=",\"startedAt\":\"$_from\",\"deadlineAt\":\"$_until\"}}"
}

_cronium_stub_log() {
	case ${_argument[level]} in
	debug | info | warn | error) _cronium_say "${_argument[level]} ${_argument[message]}${_argument[fields]:+ ${_argument[fields]}}" ;;
	*) _cronium_fail invalid 'level must be "debug", "info", "warn" or "error".' ;;
	esac
}

# Sets _cronium_result to the time (RFC 3339, UTC), or to that of so many milliseconds later.
_cronium_now() {
	local _later=${1:-0} _seconds _milliseconds
	if [[ -n ${EPOCHREALTIME-} ]]; then
		_seconds=${EPOCHREALTIME%[.,]*} _milliseconds=${EPOCHREALTIME#*[.,]}
		_milliseconds=${_milliseconds:0:3}
	else
		printf -v _seconds '%(%s)T' -1
		_milliseconds=$(command date +%3N 2>/dev/null)
		[[ $_milliseconds == [0-9][0-9][0-9] ]] || _milliseconds=000
	fi
	_milliseconds=$((10#$_milliseconds + _later))
	_seconds=$((_seconds + _milliseconds / 1000))
	((_seconds <= 253402300799)) || _seconds=253402300799
	TZ=UTC0 printf -v _cronium_result '%(%Y-%m-%dT%H:%M:%S)T.%03dZ' "$_seconds" $((_milliseconds % 1000))
}

# The file is that of the other languages.
_cronium_stub_load() {
	local _index _member
	# What this script has written itself it has in its memory.
	[[ -z $_kept || $(<"$_state") != "$_kept" ]] || return 0
	_cronium_stub_file "$_state" CRONIUM_STUB_STATE || return
	if ! _cronium_stub_is stub-state; then
		_cronium_fail invalid "CRONIUM_STUB_STATE: $_state is not a state of format 1."
		return
	fi
	_kept=$_cronium_text
	_cronium_member nextVersion && _next=$_cronium_result
	_cronium_member variables && _cronium_parse "$_cronium_result" 4
	local _names=("${_cronium_names[@]}") _texts=("${_cronium_values[@]}")
	_values=() _versions=() _created=() _updated=() _by=() _expires=()
	for _index in "${!_names[@]}"; do
		_member="=${_names[_index]}"
		_cronium_parse "${_texts[_index]}" 4
		_cronium_member value && _values["$_member"]=$_cronium_result
		_cronium_member version && _versions["$_member"]=${_cronium_result//\"/}
		_cronium_member createdAt && _created["$_member"]=${_cronium_result//\"/}
		_cronium_member updatedAt && _updated["$_member"]=${_cronium_result//\"/}
		_cronium_member updatedBy && _by["$_member"]=${_cronium_result//\"/}
		_cronium_member expiresAt
		_expires["$_member"]=${_cronium_result//\"/}
	done
}

# Whole or not at all, and for this user only.
_cronium_stub_save() {
	local _draft=$_state.$BASHPID.new _text='' _at
	for _at in "${!_versions[@]}"; do
		[[ -n ${_versions["$_at"]} ]] || continue
		_cronium_quote "${_at#=}"
		_text+=",$_cronium_result:{\"value\":${_values["$_at"]},\"version\":\"${_versions["$_at"]}\",\"createdAt\":\"${_created["$_at"]}\""
		_text+=",\"updatedAt\":\"${_updated["$_at"]}\",\"updatedBy\":\"${_by["$_at"]}\"${_expires["$_at"]:+,\"expiresAt\":\"${_expires["$_at"]}\"}}"
	done
	_text="{\"cronium\":\"stub-state\",\"format\":1,\"nextVersion\":$_next,\"variables\":{${_text:1}}}"
	_kept=$_text
	if ! (umask 077 && printf '%s\n' "$_text" >"$_draft" && command mv -f -- "$_draft" "$_state") 2>/dev/null; then
		command rm -f -- "$_draft"
		_cronium_fail unavailable "CRONIUM_STUB_STATE: $_state cannot be written."
	fi
}

# --- The functions of the contract -----------------------------------------------------------------------------------------------------------

# Returns the input of the run, or null when it has none.
#
# Errors: `denied` without the scope `input:read`.
#
# Usage: cronium_get_input [--required] [--text]
cronium_get_input() {
	_cronium_perform 'get_input' '[--required] [--text]' 'GET' '/v1/input' '' 'json' \
		-- "$@"
}

# Sets the output of the run. The last call wins, and the output is kept when the script fails afterwards.
# A value that the script returns, other than `undefined`, counts as the last call.
#
# Errors: `denied` without the scope `output:write`; `invalid` when the value is not JSON;
# `too-large` over `maxOutputBytes`.
#
# Usage: cronium_set_output VALUE
cronium_set_output() {
	_cronium_perform 'set_output' 'VALUE' 'PUT' '/v1/output' 'effect' 'none' \
		'!value body - json' \
		-- "$@"
}

# Returns the value, or none when the key does not exist. Costs no retry.
#
# Errors: `denied` without the scope `variables:read`; `invalid` for a malformed key.
#
# Usage: cronium_get_variable KEY [--required] [--text]
cronium_get_variable() {
	_cronium_perform 'get_variable' 'KEY [--required] [--text]' 'GET' '/v1/variables/{key}' '' 'json' \
		'!key path key text' \
		-- "$@"
}

# Returns the value and its metadata, or none when the key does not exist: tells `null` from missing.
#
# Errors: as `get`.
#
# Usage: cronium_get_variable_entry KEY [--required] [--text]
cronium_get_variable_entry() {
	_cronium_perform 'get_variable_entry' 'KEY [--required] [--text]' 'GET' '/v1/variables/{key}' '' 'entry' \
		'!key path key text' \
		-- "$@"
}

# Writes the value and returns its new version. Durable and visible to every run when it returns.
#
# Errors: `denied` without the scope `variables:write`; `invalid` for a malformed key or value, or when both
# conditions are given; `too-large` over `maxValueBytes`; `conflict` when the condition does not hold.
#
# Usage: cronium_set_variable KEY VALUE [--if-version etag] [--if-absent] [--expires-in-ms number]
cronium_set_variable() {
	_cronium_perform 'set_variable' 'KEY VALUE [--if-version etag] [--if-absent] [--expires-in-ms number]' 'PUT' '/v1/variables/{key}' 'effect' 'text' \
		'!key path key text' \
		'!value body - json' \
		'--if-version header If-Match etag' \
		'--if-absent header If-None-Match star' \
		'--expires-in-ms query expiresInMs number' \
		-- "$@"
}

# Deletes the key. Returns true, or false when there was none.
#
# Errors: `denied` without the scope `variables:write`; `invalid` for a malformed key; `conflict` when the
# condition does not hold.
#
# Usage: cronium_delete_variable KEY [--if-version etag]
cronium_delete_variable() {
	_cronium_perform 'delete_variable' 'KEY [--if-version etag]' 'DELETE' '/v1/variables/{key}' 'effect' 'plain' \
		'!key path key text' \
		'--if-version header If-Match etag' \
		-- "$@"
}

# Lists keys and their metadata, a page at a time.
#
# Errors: `denied` without the scope `variables:read`; `invalid` for a malformed cursor or limit.
#
# Usage: cronium_list_variables [--prefix text] [--cursor text] [--limit number]
cronium_list_variables() {
	_cronium_perform 'list_variables' '[--prefix text] [--cursor text] [--limit number]' 'GET' '/v1/variables' '' 'plain' \
		'--prefix query prefix text' \
		'--cursor query cursor text' \
		'--limit query limit number' \
		-- "$@"
}

# Adds to a number atomically and returns the sum. A missing key starts at 0; 1 is added when `by` is not given.
# An expiry that was set before stays.
#
# Errors: `denied` without the scope `variables:write`; `invalid` when the value is not a number, or when the
# sum is not finite or is an integer beyond ±(2^53−1).
#
# Usage: cronium_increment_variable KEY [BY]
cronium_increment_variable() {
	_cronium_perform 'increment_variable' 'KEY [BY]' 'POST' '/v1/variables/{key}/increment' 'effect' 'plain' \
		'!key path key text' \
		'by body - number' \
		-- "$@"
}

# Sets the condition. It survives a script that fails afterwards.
#
# Errors: `denied` without the scope `condition:write`.
#
# Usage: cronium_set_condition VALUE
cronium_set_condition() {
	_cronium_perform 'set_condition' 'VALUE' 'PUT' '/v1/condition' 'effect' 'none' \
		'!value body - boolean' \
		-- "$@"
}

# Returns the condition, or none when it is unset.
#
# Errors: `denied` without the scope `condition:read`.
#
# Usage: cronium_get_condition
cronium_get_condition() {
	_cronium_perform 'get_condition' '' 'GET' '/v1/condition' '' 'plain' \
		-- "$@"
}

# Returns the event and the run.
#
# Errors: `denied` without the scope `context:read`.
#
# Usage: cronium_get_event_context
cronium_get_event_context() {
	_cronium_perform 'get_event_context' '' 'GET' '/v1/context' '' 'plain' \
		-- "$@"
}

# Writes a line to the log of the run. Lines keep their order; they become durable with the end of the
# run or after `logFlushMs`, whichever comes first. Over `maxLogBytes` one marker is left, later lines are
# dropped, and the run goes on.
#
# Errors: `denied` without the scope `log:write`; `invalid` when `fields` is not a JSON object.
#
# Usage: cronium_write_log LEVEL MESSAGE [FIELDS]
cronium_write_log() {
	_cronium_perform 'write_log' 'LEVEL MESSAGE [FIELDS]' 'POST' '/v1/logs' 'effect' 'none' \
		'!level body level string' \
		'!message body message string' \
		'fields body fields object' \
		-- "$@"
}

# Writes a line to the log of the run: cronium_log_info MESSAGE [FIELDS]
cronium_log_debug() { cronium_write_log debug "$@"; }
cronium_log_info() { cronium_write_log info "$@"; }
cronium_log_warn() { cronium_write_log warn "$@"; }
cronium_log_error() { cronium_write_log error "$@"; }

_cronium_origin=
_cronium_aside _cronium_open_memory
