# --- Calls -----------------------------------------------------------------------------------------------------------------------------------

_cronium_codes=(@ERROR_CODES@)

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
user-agent = \"cronium-sdk-bash/@VERSION@\"
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
