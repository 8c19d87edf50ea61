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

# --- Calls -----------------------------------------------------------------------------------------------------------------------------------

_cronium_codes=(unauthenticated denied not-found conflict idempotency-mismatch invalid too-large rate-limited timed-out cancelled unavailable tool-failed unsupported internal)

# Says what went wrong, and returns the status of its code: 10 and its place among the codes of the contract.
_cronium_fail() {
	local code=$1 index
	CRONIUM_ERROR_CODE=$code
	[[ ! $2 =~ \((max[A-Za-z]+)\) ]] || CRONIUM_ERROR_LIMIT=${BASH_REMATCH[1]}
	_cronium_say "$code: $2"
	for index in "${!_cronium_codes[@]}"; do
		[[ ${_cronium_codes[index]} == "$code" ]] && return $((10 + index))
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
	local text=$1 found code
	while [[ $text =~ [[:cntrl:]]|$'\xc2'[$'\x80'-$'\x9f']|$'\xe2\x80'[$'\x8e\x8f\xaa'-$'\xae']|$'\xe2\x81'[$'\xa6'-$'\xa9'] ]]; do
		found=${BASH_REMATCH[0]}
		case ${#found} in
		1) printf -v code '\\u%04x' "'$found" ;;
		2) printf -v code '\\u%04x' $(($(_cronium_byte "${found:1:1}"))) ;;
		*) printf -v code '\\u%04x' $((0x2000 | ($(_cronium_byte "${found:1:1}") & 0x3f) << 6 | $(_cronium_byte "${found:2:1}") & 0x3f)) ;;
		esac
		text=${text//"$found"/"$code"}
	done
	printf 'cronium: %s\n' "$text" >&2
}

_cronium_byte() {
	local number
	printf -v number '%d' "'$1"
	printf '%d' $((number & 255))
}

# Sets _cronium_result to the text percent-encoded: everything but unreserved characters.
_cronium_encode() {
	local text=$1 index character number
	_cronium_result=$text
	[[ $text == *[!A-Za-z0-9._~-]* ]] || return 0
	_cronium_result=
	for ((index = 0; index < ${#text}; index++)); do
		character=${text:index:1}
		if [[ $character != [A-Za-z0-9._~-] ]]; then
			printf -v number '%d' "'$character"
			printf -v character '%%%02X' $((number & 255))
		fi
		_cronium_result+=$character
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
	local name given=() url=${CRONIUM_API_URL-} socket=${CRONIUM_SOCKET-} ca=${CRONIUM_CA_CERT-}
	local certificate=${CRONIUM_CLIENT_CERT-} key=${CRONIUM_CLIENT_KEY-} file
	for name in API_URL SOCKET EXECUTION_TOKEN EXECUTION_TOKEN_FILE CA_CERT CLIENT_CERT CLIENT_KEY; do
		name=CRONIUM_$name
		[[ -n ${!name-} ]] && given+=("$name")
	done
	if ((${#given[@]} == 0)); then
		_cronium_origin=stub
		return 0
	fi
	local present="there is ${given[*]}."
	present=${present// CRONIUM/, CRONIUM}
	present=${present/is, /is }
	if [[ -n $certificate && -z $key ]]; then
		_cronium_fail invalid "CRONIUM_CLIENT_KEY is missing; $present"
		return
	elif [[ -z $certificate && -n $key ]]; then
		_cronium_fail invalid "CRONIUM_CLIENT_CERT is missing; $present"
		return
	elif [[ -z ${CRONIUM_EXECUTION_TOKEN-} && -z ${CRONIUM_EXECUTION_TOKEN_FILE-} ]]; then
		_cronium_fail invalid "CRONIUM_EXECUTION_TOKEN or CRONIUM_EXECUTION_TOKEN_FILE is missing; $present"
		return
	fi
	_cronium_place='' _cronium_base=''
	if [[ -n $socket ]]; then
		_cronium_base=http://localhost
		if [[ -n $ca || -n $certificate ]]; then
			if [[ -z $certificate ]]; then
				_cronium_fail invalid "CRONIUM_CLIENT_CERT is missing; $present"
				return
			elif [[ -z $ca ]]; then
				_cronium_fail invalid "CRONIUM_CA_CERT is missing; $present"
				return
			fi
			_cronium_base=https://localhost
		fi
		_cronium_configure "$socket"
		_cronium_place+="unix-socket = $_cronium_result"$'\n'
	elif [[ -n $url ]]; then
		if [[ ! $url =~ ^(https?)://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[A-Za-z0-9._~%/-]*)?$ ]]; then
			_cronium_fail invalid 'CRONIUM_API_URL must be the URL of a server, such as https://cronium.example:8443.'
			return
		fi
		if [[ ${BASH_REMATCH[1]} == http && ! ${BASH_REMATCH[2]} =~ ^(localhost|127\.[0-9]+\.[0-9]+\.[0-9]+|\[::1\])$ ]]; then
			_cronium_fail invalid 'CRONIUM_API_URL is http: beyond this machine, where the token would travel in clear; use https:.'
			return
		fi
		_cronium_base=$url
		while [[ $_cronium_base == */ ]]; do _cronium_base=${_cronium_base%/}; done
	else
		_cronium_fail invalid "CRONIUM_API_URL or CRONIUM_SOCKET is missing; $present"
		return
	fi
	if [[ $_cronium_base == https:* ]]; then
		for name in CA_CERT:cacert CLIENT_CERT:cert CLIENT_KEY:key; do
			file=CRONIUM_${name%:*}
			[[ -n ${!file-} ]] || continue
			if [[ ! -r ${!file} ]]; then
				_cronium_fail invalid "$file: ${!file} cannot be read."
				return
			fi
			_cronium_configure "${!file}"
			_cronium_place+="${name#*:} = $_cronium_result"$'\n'
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
	local name=${TMPDIR:-/tmp}/cronium-$BASHPID-$RANDOM$RANDOM
	_cronium_memory=
	# Nobody else can have made it, and nobody else can read it.
	if (umask 077 && set -C && : >"$name") 2>/dev/null; then
		exec {_cronium_memory}<>"$name"
		command rm -f -- "$name"
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
	local kept
	_cronium_recall
	# The last line is complete only with its end.
	if [[ $_cronium_result == *$'\n' ]]; then
		read -r kept _cronium_renew_at <<<"$_cronium_result"
		_cronium_token=$kept
		return 0
	fi
	_cronium_read_token || return
	_cronium_schedule
}

_cronium_read_token() {
	local file=${CRONIUM_EXECUTION_TOKEN_FILE-}
	_cronium_token=${CRONIUM_EXECUTION_TOKEN-}
	if [[ -z $_cronium_token ]]; then
		if ! { read -r _cronium_token <"$file" || [[ -n $_cronium_token ]]; } 2>/dev/null; then
			_cronium_fail invalid "CRONIUM_EXECUTION_TOKEN_FILE: $file is empty or cannot be read."
			return
		fi
	fi
	if [[ $_cronium_token == *[!A-Za-z0-9._~+/=-]* ]]; then
		_cronium_fail invalid 'the execution token has a character that no token has.'
		return
	fi
}

# A token is renewed when less than a quarter of its lifetime is left.
_cronium_schedule() {
	local payload=${_cronium_token#*.} made expires
	_cronium_renew_at=never
	payload=${payload%%.*}
	_cronium_decode_base64 "$payload"
	if [[ $_cronium_result =~ \"iat\":([0-9]{1,12})[,\}] ]]; then
		made=${BASH_REMATCH[1]}
		if [[ $_cronium_result =~ \"exp\":([0-9]{1,12})[,\}] ]]; then
			expires=${BASH_REMATCH[1]}
			_cronium_renew_at=$((expires - (expires - made + 3) / 4))
		fi
	fi
	_cronium_remember "$_cronium_token $_cronium_renew_at"$'\n'
}

# What is no ASCII in it is left out: only numbers are looked for.
_cronium_decode_base64() {
	local text=$1 alphabet=ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_ before escaped='' code
	local -i index bits=0 held=0
	for ((index = 0; index < ${#text}; index++)); do
		before=${alphabet%%"${text:index:1}"*}
		held=$(((held << 6 | ${#before}) & 0xffff))
		bits+=6
		((bits >= 8)) || continue
		bits+=-8
		code=$((held >> bits & 0xff))
		((code >= 32 && code < 127)) || continue
		printf -v before '\\x%02x' "$code"
		escaped+=$before
	done
	printf -v _cronium_result '%b' "$escaped"
}

_cronium_renew() {
	local now
	[[ $_cronium_renew_at == never ]] && return
	printf -v now '%(%s)T' -1
	((now >= _cronium_renew_at)) || return
	# A failure is not told: the token may still be good, and the call will say if it is not.
	if _cronium_try POST /v1/token '' none && [[ $_cronium_status == 200 ]] && _cronium_parse "$_cronium_body" && _cronium_member token; then
		_cronium_unquote "$_cronium_result" && _cronium_token=$_cronium_result
		_cronium_schedule
	else
		_cronium_renew_at=$((now + 5))
		_cronium_remember "$_cronium_token $_cronium_renew_at"$'\n'
	fi
}

# One request. The answer is in _cronium_status, _cronium_head and _cronium_body; without one it fails, with the problem in _cronium_code and
# _cronium_detail. The token and the body go through descriptors: whoever lists processes sees neither.
_cronium_try() {
	local method=$1 path=$2 headers=$3 kind=$4 body=${5-} config answer ended=0
	config="url = \"$_cronium_base$path\"
request = \"$method\"
header = \"Authorization: Bearer $_cronium_token\"
header = \"Accept: application/json, application/problem+json\"
header = \"Expect:\"
user-agent = \"cronium-sdk-bash/0.1.0\"
$_cronium_place$headers"
	if [[ ${TRACEPARENT-} =~ ^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$ ]]; then
		config+="header = \"traceparent: $TRACEPARENT\""$'\n'
	fi
	local flags=(-q -s -i -g --http1.1 --path-as-is --noproxy '*' --connect-timeout 10 --max-time 30 --max-filesize 67108864)
	if [[ $kind == none ]]; then
		[[ $method == GET ]] || config+='header = "Content-Length: 0"'$'\n'
		answer=$(command curl "${flags[@]}" -K <(printf '%s' "$config") 2>/dev/null </dev/null) || ended=$?
	else
		config+='header = "Content-Type: application/json"'$'\n'
		answer=$(command curl "${flags[@]}" -K <(printf '%s' "$config") --data-binary @<(printf '%s' "$body") 2>/dev/null </dev/null) || ended=$?
	fi
	_cronium_code='' _cronium_detail='' _cronium_status='' _cronium_head='' _cronium_body=''
	case $ended in
	0) ;;
	28)
		_cronium_code=timed-out _cronium_detail='The runtime did not answer within 30 seconds.'
		return 1
		;;
	63)
		_cronium_code=too-large _cronium_detail='The answer has more than 67108864 bytes.'
		return 1
		;;
	*)
		_cronium_code=unavailable _cronium_detail="The runtime cannot be reached (curl ended with $ended)."
		return 1
		;;
	esac
	while [[ $answer == HTTP/1.[01]\ 1* ]]; do answer=${answer#*$'\r\n\r\n'}; done
	_cronium_status=${answer:9:3}
	_cronium_body=${answer#*$'\r\n\r\n'}
	_cronium_head=${answer:0:${#answer}-${#_cronium_body}}
}

# Sets _cronium_result to a header of the answer; fails when it has none.
_cronium_header() {
	local rest=$_cronium_head line name
	while [[ $rest == *$'\r\n'* ]]; do
		line=${rest%%$'\r\n'*}
		rest=${rest#*$'\r\n'}
		name=${line%%:*}
		if [[ ${name,,} == "${1,,}" ]]; then
			_cronium_result=${line#*:}
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
	local method=$1 path=$2 headers=$3 kind=$4 body=${5-} effect=$6 tries id reloaded='' wait longest seconds refused
	_cronium_find_token || return
	_cronium_renew
	if [[ -n $effect ]]; then
		_cronium_random_id
		headers+="header = \"Idempotency-Key: $_cronium_result\""$'\n'
	fi
	for ((tries = 1; ; tries++)); do
		local repeat=''
		_cronium_wait=0
		if _cronium_try "$method" "$path" "$headers" "$kind" "$body"; then
			if [[ $_cronium_status == 2?? || $_cronium_status == 404 ]]; then return 0; fi
			_cronium_read_problem
			if [[ $_cronium_code == unauthenticated && -z $reloaded && -z ${CRONIUM_EXECUTION_TOKEN-} ]]; then
				reloaded=1 refused=$_cronium_token
				_cronium_read_token || return
				if [[ $_cronium_token != "$refused" ]]; then
					_cronium_schedule
					tries=$((tries - 1))
					continue
				fi
			fi
			case $_cronium_status:$_cronium_code in
			5*:timed-out | 5*:tool-failed | 5*:internal | 5*:unsupported) ;;
			429:* | 502:* | 503:* | 504:*) repeat=1 ;;
			esac
		elif [[ $_cronium_code == unavailable || $_cronium_code == timed-out ]]; then
			repeat=1
		fi
		longest=$((100 << (tries - 1)))
		((longest <= 5000)) || longest=5000
		wait=$((RANDOM * longest / 32768))
		((wait >= _cronium_wait)) || wait=$_cronium_wait
		# A server that asks for more is not waited for.
		if [[ -z $repeat ]] || ((tries >= 5 || wait > 60000)); then
			_cronium_fail "$_cronium_code" "$_cronium_detail"
			return
		fi
		printf -v seconds '%d.%03d' $((wait / 1000)) $((wait % 1000))
		command sleep "$seconds"
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
	local LC_ALL=C IFS=$' \t\n' nocase=''
	shopt -q nocasematch && nocase=1
	[[ -z $nocase ]] || shopt -u nocasematch
	_cronium_perform_call "$@"
	local status=$?
	[[ -z $nocase ]] || shopt -s nocasematch
	return $status
}

_cronium_perform_call() {
	local operation=$1 usage="cronium_$1 $2" method=$3 path=$4 effect=$5 returns=$6 parameters=() given=() required='' text='' parameter
	shift 6
	CRONIUM_ERROR_CODE='' CRONIUM_ERROR_LIMIT='' CRONIUM_CURRENT_VERSION=''
	local -A options=()
	while [[ $1 != -- ]]; do
		parameters+=("$1")
		shift
	done
	shift
	local name place wire form optional words=()
	# Arguments first: a key may look like an option.
	for parameter in "${parameters[@]}"; do
		read -r name place wire form <<<"$parameter"
		[[ $name == --* ]] && continue
		if (($# == 0)); then
			if [[ $name == !* ]]; then
				_cronium_misuse "usage: $usage"
				return
			fi
			break
		fi
		[[ $name != !* && $1 == --* && $form != text ]] && break
		words+=("${name#!} $place $wire $form")
		given+=("$1")
		shift
	done
	while (($# > 0)); do
		case $1 in
		--required) required=1 ;;
		--text) text=1 ;;
		--*)
			parameter=
			for parameter in "${parameters[@]}" ''; do [[ $parameter == "$1 "* ]] && break; done
			if [[ -z $parameter ]]; then
				_cronium_misuse "there is no option $1; usage: $usage"
				return
			fi
			words+=("${parameter#--}")
			if [[ $parameter == *\ star ]]; then
				given+=(true)
			elif (($# < 2)); then
				_cronium_misuse "$1 needs a value; usage: $usage"
				return
			else
				given+=("$2")
				shift
			fi
			;;
		*)
			_cronium_misuse "there is an argument too much; usage: $usage"
			return
			;;
		esac
		shift
	done
	if [[ $returns != json && $returns != entry && -n $required$text ]]; then
		_cronium_misuse "--required and --text are for values; usage: $usage"
		return
	fi
	[[ -n ${_cronium_origin-} ]] || _cronium_connect || return
	local output='' missing=''
	if [[ $_cronium_origin == stub ]]; then
		_cronium_stub "$operation" || return
	else
		_cronium_call || return
	fi
	if [[ -n $missing ]]; then
		[[ -z $required ]] || return 1
		return 0
	fi
	# None is nothing; a value that is null is a value.
	[[ -n $output && $returns:$output != plain:null ]] || return 0
	if [[ $returns == text || -n $text && $output == \"* ]] && ! _cronium_decode_text "$output"; then
		_cronium_fail invalid 'the text has a NUL character, which Bash cannot hold.'
		return
	elif [[ $returns == text || -n $text && $output == \"* ]]; then
		output=$_cronium_result
	fi
	printf '%s\n' "$output"
}

# Makes the request of a call of `words` and `given`, and its result of the answer: `output`, or `missing`. All are the caller's.
_cronium_call() {
	local index name place wire form value headers='' query='' members='' body='' kind=none
	for index in "${!words[@]}"; do
		read -r name place wire form <<<"${words[index]}"
		value=${given[index]}
		_cronium_check "$name" "$form" "$value" || return
		case $place in
		path)
			_cronium_encode "$value"
			path=${path/"{$wire}"/"$_cronium_result"}
			;;
		query)
			_cronium_encode "$value"
			query+="&$wire=$_cronium_result"
			;;
		header)
			if [[ $form == etag ]]; then value="\\\"$value\\\""; else value='*'; fi
			headers+="header = \"$wire: $value\""$'\n'
			;;
		body)
			kind=json
			_cronium_standard_input
			[[ $form != string ]] || _cronium_quote "$value"
			[[ $form == string ]] || _cronium_result=$value
			if [[ $wire == - ]]; then body=$_cronium_result; else members+=",\"$wire\":$_cronium_result"; fi
			;;
		esac
	done
	[[ -z $members ]] || body="{${members:1}}"
	[[ -z $query ]] || path+="?${query:1}"
	_cronium_send "$method" "$path" "$headers" "$kind" "$body" "$effect" || return
	if [[ $_cronium_status == 404 ]]; then
		if _cronium_header Content-Type && [[ $_cronium_result == application/problem+json* ]]; then
			_cronium_read_problem
			if [[ $returns == json || $returns == entry ]]; then
				missing=1
				return 0
			fi
			_cronium_fail "$_cronium_code" "$_cronium_detail"
			return
		fi
		_cronium_fail unavailable 'The server does not have the runtime API at this URL (404).'
		return
	fi
	[[ $returns == none ]] && return 0
	output=$_cronium_body
	if [[ $returns == entry ]]; then
		output="{\"value\":$_cronium_body,\"metadata\":{"
		_cronium_header ETag
		_cronium_result=${_cronium_result#\"}
		output+="\"version\":\"${_cronium_result%\"}\""
		for name in Created-At:createdAt Updated-At:updatedAt Updated-By:updatedBy Expires-At:expiresAt; do
			_cronium_header "Cronium-${name%:*}" && output+=",\"${name#*:}\":\"$_cronium_result\""
		done
		output+=",\"size\":${#_cronium_body}}}"
	fi
}

# Refuses what has no form in a request, or would be another request.
_cronium_check() {
	local name=$1 form=$2 value=$3
	case $form in
	etag)
		[[ -n $value && $value != *[!!-~]* && $value != *[\"\\]* ]] && return
		_cronium_fail invalid "$name must be a version, as a call has printed it."
		;;
	number)
		[[ $value =~ $_cronium_number && ${#BASH_REMATCH[0]} == "${#value}" ]] && return
		_cronium_fail invalid "$name must be a number; it is $value."
		;;
	boolean)
		[[ $value == true || $value == false ]] && return
		_cronium_fail invalid "$name must be true or false; it is $value."
		;;
	object)
		if ! _cronium_parse "$value"; then
			_cronium_fail invalid "$name $_cronium_problem."
		elif [[ $_cronium_kind != object ]]; then
			_cronium_fail invalid "$name must be a JSON object."
		fi
		;;
	esac
}

# `-` for a value is what standard input holds. `value` and `form` are the caller's.
_cronium_standard_input() {
	[[ $form == json && $value == - ]] || return 0
	value=$(command cat; printf x)
	value=${value%x}
	while [[ $value == *$'\n' ]]; do value=${value%$'\n'}; done
}

# A long text is decoded by jq, where there is one: Bash takes a while for each escape.
_cronium_decode_text() {
	if ((${#1} > 16384)) && [[ $1 == *\\* && $1 != *\\u0000* ]] && command -v jq >/dev/null; then
		_cronium_result=$(printf '%s' "$1" | command jq -j . && printf x) || return
		_cronium_result=${_cronium_result%x}
		return 0
	fi
	_cronium_unquote "$1"
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
	elif ! _cronium_decode_text "$1"; then
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
	if ! _cronium_parse "$1"; then
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
	local index
	if ! _cronium_parse "$1"; then
		_cronium_fail invalid "the list $_cronium_problem."
	elif [[ $_cronium_kind != array ]]; then
		_cronium_fail invalid 'the value is no JSON list.'
	else
		# A line feed between two tokens is as good as a space; inside of strings there is none.
		for index in "${!_cronium_values[@]}"; do printf '%s\n' "${_cronium_values[index]//$'\n'/ }"; done
	fi
}

# --- The stub: the same answers and errors, from files and the environment ----------------------------------------------------------------------

_cronium_max_bytes=1048576

# Does what the runtime would. What it knows is in the memory of the script, its variables in the file CRONIUM_STUB_STATE when there is one; the
# arguments (`words`, `given`) and the result (`output`, `missing`) are the caller's.
_cronium_stub() {
	local operation=$1 state input='' event='' condition='' next=1 kept='' started changed='' index name place wire form
	local -A values=() versions=() created=() updated=() by=() expires=() argument=()
	for index in "${!words[@]}"; do
		read -r name place wire form <<<"${words[index]}"
		# Arguments that have no form in a request are refused as they would be there.
		_cronium_check "$name" "$form" "${given[index]}" || return
		local value=${given[index]}
		_cronium_standard_input
		argument[$name]=$value
	done
	local before=''
	_cronium_recall
	if [[ -n $_cronium_result ]]; then
		# Nobody but this script can have written it.
		eval "$_cronium_result"
		state=${_cronium_stub_state-} before=$kept
		if [[ -n $state && -e $state ]]; then _cronium_stub_load || return; fi
	else
		_cronium_say 'no connection is configured; this is the stub (nothing leaves this process)'
		_cronium_stub_settings || return
		changed=memory
	fi
	case $operation in
	get_input) output=${input:-null} ;;
	set_output)
		_cronium_stub_value value maxOutputBytes output || return
		_cronium_say "output ${argument[value]}"
		;;
	get_variable | get_variable_entry) _cronium_stub_get || return ;;
	set_variable) _cronium_stub_set || return ;;
	delete_variable) _cronium_stub_delete || return ;;
	list_variables) _cronium_stub_list || return ;;
	increment_variable) _cronium_stub_increment || return ;;
	set_condition)
		condition=${argument[value]}
		changed=${changed:-memory}
		_cronium_say "condition $condition"
		;;
	get_condition) output=${condition:-null} ;;
	get_event_context) _cronium_stub_context ;;
	write_log) _cronium_stub_log || return ;;
	*) _cronium_fail unsupported "The stub does not have cronium_$operation." || return ;;
	esac
	[[ $changed != variables || -z $state ]] || _cronium_stub_save || return
	# A state that was read anew is worth remembering, too.
	[[ $kept == "$before" ]] || changed=${changed:-memory}
	if [[ -n $changed ]]; then
		local _cronium_stub_state=$state
		_cronium_remember "$(declare -p input event condition started _cronium_stub_state kept next values versions created updated by expires)"
	fi
}

# --- Sources: later ones are stronger

_cronium_stub_settings() {
	local source text file
	local -A settings=()
	if [[ -r .env ]]; then _cronium_stub_env || return; fi
	for name in "${!CRONIUM_STUB_@}"; do [[ -z ${!name} ]] || settings[$name]=${!name}; done
	printf -v started '%(%s)T' -1
	state=${settings[CRONIUM_STUB_STATE]-}
	[[ -z $state || $state == /* ]] || state=$PWD/$state
	if [[ -n $state && -e $state ]]; then _cronium_stub_load || return; fi
	local -A found=()
	file=${settings[CRONIUM_STUB_FIXTURE]-}
	if [[ -n $file ]]; then
		_cronium_stub_file "$file" CRONIUM_STUB_FIXTURE object || return
		if ! _cronium_stub_is fixture; then
			_cronium_fail invalid "$file is not a fixture of format 1, as cronium run --record writes it."
			return
		fi
		_cronium_stub_take "$file" || return
	fi
	file=${settings[CRONIUM_STUB_FILE]-}
	if [[ -n $file ]]; then
		_cronium_stub_file "$file" CRONIUM_STUB_FILE object || return
		_cronium_stub_take "$file" || return
	elif [[ -e cronium.local.json ]]; then
		_cronium_stub_file cronium.local.json cronium.local.json object || return
		_cronium_stub_take cronium.local.json || return
	fi
	for name in input variables event condition; do
		source=CRONIUM_STUB_${name^^}
		text=${settings[$source]-}
		[[ -n $text ]] || continue
		if [[ $text == @* ]]; then
			_cronium_stub_file "${text#@}" "$source" || return
		elif ! _cronium_parse "$text" 4; then
			_cronium_fail invalid "$source $_cronium_problem."
			return
		else
			_cronium_text=$text
		fi
		_cronium_stub_take_one "$name" "$_cronium_text" "$source" || return
	done
	for name in "${!found[@]}"; do
		_cronium_stub_key "${name#=}" || return
		_cronium_stub_find "${name#=}" || _cronium_stub_write "${name#=}" "${found[$name]}" ''
	done
}

# `NAME=value` a line; of others than the stub's own nothing is taken.
_cronium_stub_env() {
	local line number=0 value quote
	while IFS= read -r line || [[ -n $line ]]; do
		number=$((number + 1))
		line=${line%$'\r'}
		[[ $line =~ ^[[:space:]]*(export[[:space:]]+)?(CRONIUM_STUB_[A-Z0-9_a-z]+)[[:space:]]*=[[:space:]]*(.*)$ ]] || continue
		name=${BASH_REMATCH[2]} value=${BASH_REMATCH[3]}
		value=${value%"${value##*[![:space:]]}"}
		quote=${value:0:1}
		if [[ $quote == [\'\"] ]]; then
			value=${value:1}
			if [[ $value != *"$quote"* ]]; then
				_cronium_fail invalid ".env, line $number: the value of $name has no closing quote."
				return
			fi
			value=${value%"$quote"*}
			if [[ $quote == '"' ]]; then
				for quote in '"' '\' '$' '`'; do value=${value//"\\$quote"/"$quote"}; done
				value=${value//\\n/$'\n'}
			fi
		elif [[ $value =~ ^(.*[^[:space:]])?[[:space:]]+#.*$ || $value == \#* ]]; then
			value=${BASH_REMATCH[1]-}
		fi
		[[ -z $value ]] || settings[$name]=$value
	done <.env
}

# Reads a JSON file into _cronium_text, and takes it apart.
_cronium_stub_file() {
	local file=$1 source=$2 kind=${3-}
	if [[ ! -f $file || ! -r $file ]] || ! _cronium_text=$(command cat -- "$file" 2>/dev/null); then
		_cronium_fail invalid "$source: $file cannot be read."
	elif ! _cronium_parse "$_cronium_text" 4; then
		_cronium_fail invalid "$source: $file $_cronium_problem."
	elif [[ -n $kind && $_cronium_kind != "$kind" ]]; then
		_cronium_fail invalid "$file must be a JSON $kind."
	fi
}

# Succeeds when the file that was read last is one of ours, of this kind and format 1.
_cronium_stub_is() {
	local kind
	[[ $_cronium_kind == object ]] && _cronium_member cronium || return 1
	kind=$_cronium_result
	[[ $kind == "\"$1\"" ]] && _cronium_member format && [[ $_cronium_result == 1 ]]
}

# Takes the members of the object that was read last.
_cronium_stub_take() {
	local origin=$1 member index
	local names=("${_cronium_names[@]}") texts=("${_cronium_values[@]}")
	for index in "${!names[@]}"; do
		member=${names[index]}
		case $member in
		input | condition) ;;
		variables | event) [[ ${texts[index]} != null ]] || continue ;;
		*) continue ;;
		esac
		_cronium_parse "${texts[index]}" 4
		_cronium_stub_take_one "$member" "${texts[index]}" "$member in $origin" || return
	done
}

# Takes one value, which has been taken apart.
_cronium_stub_take_one() {
	local index
	case $1 in
	input) input=$2 ;;
	condition)
		if [[ $2 != true && $2 != false && $2 != null ]]; then
			_cronium_fail invalid "$3 must be true, false or null."
			return
		fi
		condition=${2#null}
		;;
	variables | event)
		if [[ $_cronium_kind != object ]]; then
			_cronium_fail invalid "$3 must be a JSON object."
			return
		fi
		[[ $1 != event ]] || event=$2
		[[ $1 != variables ]] || for index in "${!_cronium_names[@]}"; do found[=${_cronium_names[index]}]=${_cronium_values[index]}; done
		;;
	esac
}

# --- Variables

_cronium_stub_key() {
	local key=$1 bytes=${1//[$'\x80'-$'\xbf']/}
	if [[ $key == *[[:cntrl:]]* || $key == *$'\xc2'[$'\x80'-$'\x9f']* ]]; then
		_cronium_quote "$key"
		_cronium_fail invalid "key $_cronium_result has a control character."
	elif ((${#bytes} < 1 || ${#bytes} > 255)); then
		_cronium_fail invalid "key has ${#bytes} characters; it must have 1 to 255 (maxKeyCharacters)."
	elif [[ $key == . || $key == .. ]]; then
		_cronium_fail invalid "key must not be \"$key\"."
	fi
}

# Succeeds when there is such a variable that has not expired.
_cronium_stub_find() {
	local at="=$1"
	[[ -n ${versions["$at"]-} ]] || return 1
	[[ -n ${expires["$at"]-} ]] || return 0
	_cronium_now
	[[ ! ${expires["$at"]} > $_cronium_result ]] || return 0
	versions["$at"]=
	return 1
}

_cronium_stub_write() {
	local at="=$1"
	_cronium_stub_find "$1" || created["$at"]=
	_cronium_now
	[[ -n ${created["$at"]} ]] || created["$at"]=$_cronium_result
	values["$at"]=$2 versions["$at"]=$((next++)) updated["$at"]=$_cronium_result by["$at"]=stub expires["$at"]=$3
	changed=variables
}

_cronium_stub_get() {
	local key=${argument[key]}
	_cronium_stub_key "$key" || return
	if ! _cronium_stub_find "$key"; then
		missing=1
		return 0
	fi
	output=${values["=$key"]}
	[[ $operation == get_variable ]] && return 0
	_cronium_stub_metadata "$key"
	output="{\"value\":$output,\"metadata\":$_cronium_result}"
}

_cronium_stub_metadata() {
	local at="=$1" text
	text="{\"version\":\"${versions["$at"]}\",\"createdAt\":\"${created["$at"]}\",\"updatedAt\":\"${updated["$at"]}\""
	text+=",\"updatedBy\":\"${by["$at"]}\",\"size\":${#values["$at"]}"
	[[ -z ${expires["$at"]-} ]] || text+=",\"expiresAt\":\"${expires["$at"]}\""
	_cronium_result="$text}"
}

# Checks a value that is to be kept.
_cronium_stub_value() {
	local text=${argument[$1]}
	if ((${#text} > _cronium_max_bytes)); then
		_cronium_fail too-large "$3 has ${#text} bytes; the limit is $_cronium_max_bytes ($2)."
	elif ! _cronium_parse "$text"; then
		_cronium_fail invalid "$3 $_cronium_problem."
	fi
}

_cronium_stub_set() {
	local key=${argument[key]} wanted=${argument[if-version]-} absent=${argument[if-absent]-} later=${argument[expires-in-ms]-} until=''
	_cronium_stub_key "$key" || return
	_cronium_stub_value value maxValueBytes value || return
	if [[ -n $wanted && -n $absent ]]; then
		_cronium_fail invalid '--if-version and --if-absent exclude each other.'
		return
	fi
	if [[ -n ${argument[expires-in-ms]+x} ]]; then
		if [[ ! $later =~ ^[1-9][0-9]{0,15}$ ]]; then
			_cronium_fail invalid "expires-in-ms is $later; it must be a whole number from 1."
			return
		fi
		_cronium_now "$later"
		until=$_cronium_result
	fi
	_cronium_stub_version "$key" "$wanted" "$absent" || return
	_cronium_stub_write "$key" "${argument[value]}" "$until"
	output="\"${versions["=$key"]}\""
	_cronium_quote "$key"
	_cronium_say "variable $_cronium_result = ${argument[value]}"
}

_cronium_stub_version() {
	local key=$1 wanted=$2 absent=$3 current='' state='there is no such variable'
	if _cronium_stub_find "$key"; then current=${versions["=$key"]} state="it has the version $current"; fi
	if [[ -n $absent ]]; then
		[[ -n $current ]] || return 0
	elif [[ -z $wanted || $wanted == "$current" ]]; then
		return 0
	fi
	CRONIUM_CURRENT_VERSION=$current
	_cronium_quote "$key"
	_cronium_fail conflict "The variable $_cronium_result is not as expected: $state."
}

_cronium_stub_delete() {
	local key=${argument[key]}
	_cronium_stub_key "$key" || return
	_cronium_stub_version "$key" "${argument[if-version]-}" '' || return
	output=false
	_cronium_stub_find "$key" || return 0
	versions["=$key"]=
	changed=variables
	output=true
	_cronium_quote "$key"
	_cronium_say "variable $_cronium_result deleted"
}

_cronium_stub_list() {
	local prefix=${argument[prefix]-} cursor=${argument[cursor]-} limit=${argument[limit]-100} after='' key other sorted=() items='' count=0 last index
	if [[ ! $limit =~ ^[1-9][0-9]{0,9}$ ]] || ((limit > 1000)); then
		_cronium_fail invalid "limit is $limit; it must be a whole number from 1 to 1000 (maxPageSize)."
		return
	fi
	if [[ -n ${argument[cursor]+x} ]]; then
		# The bytes of the last key in hexadecimal.
		if [[ ! $cursor =~ ^k(([0-9a-f]{2})+)$ ]]; then
			_cronium_fail invalid 'cursor is not one that a page had.'
			return
		fi
		after=${BASH_REMATCH[1]}
		other=
		for ((index = 0; index < ${#after}; index += 2)); do other+="\\x${after:index:2}"; done
		printf -v after '%b' "$other"
	fi
	for key in "${!versions[@]}"; do
		key=${key#=}
		if [[ $key != "$prefix"* ]] || ! _cronium_stub_find "$key"; then continue; fi
		[[ -z ${argument[cursor]+x} || $key > $after ]] || continue
		# In the order of their bytes.
		for ((index = ${#sorted[@]}; index > 0; index--)); do
			[[ ${sorted[index - 1]} > $key ]] || break
			sorted[index]=${sorted[index - 1]}
		done
		sorted[index]=$key
	done
	for key in "${sorted[@]:0:limit}"; do
		_cronium_quote "$key"
		items+=",{\"key\":$_cronium_result"
		_cronium_stub_metadata "$key"
		items+=",\"metadata\":$_cronium_result}"
		last=$key
	done
	output="{\"items\":[${items:1}]"
	if ((${#sorted[@]} > limit)); then
		cursor=k
		for ((index = 0; index < ${#last}; index++)); do
			printf -v count '%d' "'${last:index:1}"
			printf -v count '%02x' $((count & 255))
			cursor+=$count
		done
		output+=",\"cursor\":\"$cursor\""
	fi
	output+='}'
}

_cronium_stub_increment() {
	local key=${argument[key]} amount=${argument[by]-1} value=0 until=''
	_cronium_stub_key "$key" || return
	if _cronium_stub_find "$key"; then value=${values["=$key"]} until=${expires["=$key"]}; fi
	_cronium_quote "$key"
	local shown=$_cronium_result
	if [[ ! $value =~ $_cronium_number || ${#BASH_REMATCH[0]} != "${#value}" ]]; then
		_cronium_fail invalid "The variable $shown is not a number."
		return
	fi
	if [[ $value$amount =~ ^[-0-9]{1,30}$ ]] && ((${#value} < 17 && ${#amount} < 17)); then
		_cronium_result=$((value + amount))
	else
		_cronium_add "$value" "$amount"
	fi
	if [[ ! $_cronium_result =~ $_cronium_number ]] || _cronium_is_unsafe "$_cronium_result"; then
		_cronium_fail invalid "The sum $_cronium_result is beyond ±(2^53−1) or not finite."
		return
	fi
	output=$_cronium_result
	_cronium_stub_write "$key" "$output" "$until"
	_cronium_say "variable $shown = $output"
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
	local text=${event:-"{}"} from until
	TZ=UTC0 printf -v from '%(%Y-%m-%dT%H:%M:%S)T.000Z' "$started"
	TZ=UTC0 printf -v until '%(%Y-%m-%dT%H:%M:%S)T.000Z' $((started + 86400))
	_cronium_parse "$text"
	text=${text%\}*}
	((${#_cronium_names[@]} == 0)) || text+=,
	output="$text\"execution\":{\"id\":\"stub\",\"namespace\":\"stub\",\"mode\":\"external\",\"attempt\":1"
	output+=",\"startedAt\":\"$from\",\"deadlineAt\":\"$until\"}}"
}

_cronium_stub_log() {
	case ${argument[level]} in
	debug | info | warn | error) _cronium_say "${argument[level]} ${argument[message]}${argument[fields]:+ ${argument[fields]}}" ;;
	*) _cronium_fail invalid 'level must be "debug", "info", "warn" or "error".' ;;
	esac
}

# Sets _cronium_result to the time (RFC 3339, UTC), or to that of so many milliseconds later.
_cronium_now() {
	local later=${1:-0} seconds milliseconds
	if [[ -n ${EPOCHREALTIME-} ]]; then
		seconds=${EPOCHREALTIME%[.,]*} milliseconds=${EPOCHREALTIME#*[.,]}
		milliseconds=${milliseconds:0:3}
	else
		printf -v seconds '%(%s)T' -1
		milliseconds=$(command date +%3N 2>/dev/null)
		[[ $milliseconds == [0-9][0-9][0-9] ]] || milliseconds=000
	fi
	milliseconds=$((10#$milliseconds + later))
	seconds=$((seconds + milliseconds / 1000))
	((seconds <= 253402300799)) || seconds=253402300799
	TZ=UTC0 printf -v _cronium_result '%(%Y-%m-%dT%H:%M:%S)T.%03dZ' "$seconds" $((milliseconds % 1000))
}

# The file is that of the other languages.
_cronium_stub_load() {
	local index member
	# What this script has written itself it has in its memory.
	[[ -z $kept || $(<"$state") != "$kept" ]] || return 0
	_cronium_stub_file "$state" CRONIUM_STUB_STATE || return
	if ! _cronium_stub_is stub-state; then
		_cronium_fail invalid "CRONIUM_STUB_STATE: $state is not a state of format 1."
		return
	fi
	kept=$_cronium_text
	_cronium_member nextVersion && next=$_cronium_result
	_cronium_member variables && _cronium_parse "$_cronium_result" 4
	local names=("${_cronium_names[@]}") texts=("${_cronium_values[@]}")
	values=() versions=() created=() updated=() by=() expires=()
	for index in "${!names[@]}"; do
		member="=${names[index]}"
		_cronium_parse "${texts[index]}" 4
		_cronium_member value && values["$member"]=$_cronium_result
		_cronium_member version && versions["$member"]=${_cronium_result//\"/}
		_cronium_member createdAt && created["$member"]=${_cronium_result//\"/}
		_cronium_member updatedAt && updated["$member"]=${_cronium_result//\"/}
		_cronium_member updatedBy && by["$member"]=${_cronium_result//\"/}
		_cronium_member expiresAt
		expires["$member"]=${_cronium_result//\"/}
	done
}

# Whole or not at all, and for this user only.
_cronium_stub_save() {
	local draft=$state.$BASHPID.new text='' at
	for at in "${!versions[@]}"; do
		[[ -n ${versions["$at"]} ]] || continue
		_cronium_quote "${at#=}"
		text+=",$_cronium_result:{\"value\":${values["$at"]},\"version\":\"${versions["$at"]}\",\"createdAt\":\"${created["$at"]}\""
		text+=",\"updatedAt\":\"${updated["$at"]}\",\"updatedBy\":\"${by["$at"]}\"${expires["$at"]:+,\"expiresAt\":\"${expires["$at"]}\"}}"
	done
	text="{\"cronium\":\"stub-state\",\"format\":1,\"nextVersion\":$next,\"variables\":{${text:1}}}"
	kept=$text
	if ! (umask 077 && printf '%s\n' "$text" >"$draft" && command mv -f -- "$draft" "$state") 2>/dev/null; then
		command rm -f -- "$draft"
		_cronium_fail unavailable "CRONIUM_STUB_STATE: $state cannot be written."
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
