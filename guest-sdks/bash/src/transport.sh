# --- Calls -----------------------------------------------------------------------------------------------------------------------------------

_cronium_codes=(@ERROR_CODES@)

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
user-agent = \"cronium-sdk-bash/@VERSION@\"
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
