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
