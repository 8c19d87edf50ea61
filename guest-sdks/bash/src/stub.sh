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
