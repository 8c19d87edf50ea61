# Generated from wit/ by "npm run generate". Do not edit.
"""What the contract says: its records, its errors, its functions and how they are reached over HTTP."""

from typing import Any, NamedTuple, Optional, Tuple

ERROR_CODES = (
    "unauthenticated",
    "denied",
    "not-found",
    "conflict",
    "idempotency-mismatch",
    "invalid",
    "too-large",
    "rate-limited",
    "timed-out",
    "cancelled",
    "unavailable",
    "tool-failed",
    "unsupported",
    "internal",
)


class Metadata(NamedTuple):
    """What is known of a stored value besides the value."""

    version: str
    """Changes with every write."""

    created_at: str
    """When the key came into being. A delete or an expiry ends it."""

    updated_at: str
    """When the value was last written."""

    updated_by: str
    """The execution that wrote it last, or `operator` when no run did."""

    size: int
    """The length of the value in bytes of UTF-8."""

    expires_at: Optional[str] = None
    """When the value expires, if it does."""


class KeyInfo(NamedTuple):
    """A key with the metadata of its value."""

    key: str
    """The key."""

    metadata: Metadata
    """What is known of its value."""


class KeyPage(NamedTuple):
    """One page of keys, in the order of their UTF-8 bytes."""

    items: Tuple[KeyInfo, ...]
    """The keys."""

    cursor: Optional[str] = None
    """Where the next page begins; none on the last page."""


class ServerContext(NamedTuple):
    """The server an event belongs to."""

    id: str
    """The id of the server."""

    name: Optional[str] = None
    """Its name."""


class ExecutionContext(NamedTuple):
    """This run."""

    id: str
    """The id of the run."""

    namespace: str
    """The owner of the run's variables."""

    mode: str
    """How it runs."""

    attempt: int
    """1 for the first attempt."""

    started_at: str
    """When it started."""

    deadline_at: str
    """When it is stopped at the latest."""


class EventContext(NamedTuple):
    """The event that a run belongs to. A field that the orchestrator does not know is none."""

    execution: ExecutionContext
    """This run."""

    id: Optional[str] = None
    """The id of the event."""

    name: Optional[str] = None
    """Its name."""

    description: Optional[str] = None
    """Its description."""

    type: Optional[str] = None
    """What kind of event it is."""

    run_location: Optional[str] = None
    """Where the orchestrator meant it to run."""

    created_at: Optional[str] = None
    """When the event was made."""

    updated_at: Optional[str] = None
    """When the event was last changed."""

    user_id: Optional[str] = None
    """Who owns it."""

    server: Optional[ServerContext] = None
    """The server it belongs to."""

    success_count: Optional[int] = None
    """How often it succeeded before."""

    failure_count: Optional[int] = None
    """How often it failed before."""

    last_run_at: Optional[str] = None
    """When it last ran."""


class VariableEntry(NamedTuple):
    """A value and what is known of it."""

    value: Any
    metadata: Metadata


def read_metadata(given: Any) -> Metadata:
    return Metadata(
        given["version"],
        given["createdAt"],
        given["updatedAt"],
        given["updatedBy"],
        given["size"],
        given.get("expiresAt"),
    )


def read_key_info(given: Any) -> KeyInfo:
    return KeyInfo(
        given["key"],
        read_metadata(given["metadata"]),
    )


def read_key_page(given: Any) -> KeyPage:
    return KeyPage(
        tuple(read_key_info(one) for one in given["items"]),
        given.get("cursor"),
    )


def read_server_context(given: Any) -> ServerContext:
    return ServerContext(
        given["id"],
        given.get("name"),
    )


def read_execution_context(given: Any) -> ExecutionContext:
    return ExecutionContext(
        given["id"],
        given["namespace"],
        given["mode"],
        given["attempt"],
        given["startedAt"],
        given["deadlineAt"],
    )


def read_event_context(given: Any) -> EventContext:
    return EventContext(
        read_execution_context(given["execution"]),
        given.get("id"),
        given.get("name"),
        given.get("description"),
        given.get("type"),
        given.get("runLocation"),
        given.get("createdAt"),
        given.get("updatedAt"),
        given.get("userId"),
        None if given.get("server") is None else read_server_context(given.get("server")),
        given.get("successCount"),
        given.get("failureCount"),
        given.get("lastRunAt"),
    )


class Place(NamedTuple):
    """Where a parameter is in a request."""

    parameter: str
    where: str
    name: Optional[str]
    form: Optional[str]


class Operation(NamedTuple):
    """One function of the contract, and how it is reached over HTTP."""

    id: str
    name: str
    effect: bool
    method: str
    path: str
    places: Tuple[Place, ...]
    result: str
    read: Any


IO_GET_INPUT = Operation(
    "io.get-input",
    "get_input",
    False,
    "GET",
    "/v1/input",
    (),
    "json",
    None,
)
IO_SET_OUTPUT = Operation(
    "io.set-output",
    "set_output",
    True,
    "PUT",
    "/v1/output",
    (Place("value", "body", None, None),),
    "none",
    None,
)
VARIABLES_GET = Operation(
    "variables.get",
    "get_variable",
    False,
    "GET",
    "/v1/variables/{key}",
    (Place("key", "path", "key", None),),
    "json",
    None,
)
VARIABLES_GET_ENTRY = Operation(
    "variables.get-entry",
    "get_variable_entry",
    False,
    "GET",
    "/v1/variables/{key}",
    (Place("key", "path", "key", None),),
    "entry",
    None,
)
VARIABLES_SET = Operation(
    "variables.set",
    "set_variable",
    True,
    "PUT",
    "/v1/variables/{key}",
    (Place("key", "path", "key", None), Place("value", "body", None, None), Place("if_version", "header", "If-Match", "etag"), Place("if_absent", "header", "If-None-Match", "star"), Place("expires_in_ms", "query", "expiresInMs", None),),
    "plain",
    None,
)
VARIABLES_DELETE = Operation(
    "variables.delete",
    "delete_variable",
    True,
    "DELETE",
    "/v1/variables/{key}",
    (Place("key", "path", "key", None), Place("if_version", "header", "If-Match", "etag"),),
    "plain",
    None,
)
VARIABLES_LIST = Operation(
    "variables.list",
    "list_variables",
    False,
    "GET",
    "/v1/variables",
    (Place("prefix", "query", "prefix", None), Place("cursor", "query", "cursor", None), Place("limit", "query", "limit", None),),
    "plain",
    read_key_page,
)
VARIABLES_INCREMENT = Operation(
    "variables.increment",
    "increment_variable",
    True,
    "POST",
    "/v1/variables/{key}/increment",
    (Place("key", "path", "key", None), Place("by", "body", None, None),),
    "plain",
    None,
)
CONDITION_SET = Operation(
    "condition.set",
    "set_condition",
    True,
    "PUT",
    "/v1/condition",
    (Place("value", "body", None, None),),
    "none",
    None,
)
CONDITION_GET = Operation(
    "condition.get",
    "get_condition",
    False,
    "GET",
    "/v1/condition",
    (),
    "plain",
    None,
)
EVENT_GET_CONTEXT = Operation(
    "event.get-context",
    "get_event_context",
    False,
    "GET",
    "/v1/context",
    (),
    "plain",
    read_event_context,
)
LOG_WRITE = Operation(
    "log.write",
    "write_log",
    True,
    "POST",
    "/v1/logs",
    (Place("level", "body", "level", None), Place("message", "body", "message", None), Place("fields", "body", "fields", None),),
    "none",
    None,
)
OPERATIONS = (IO_GET_INPUT, IO_SET_OUTPUT, VARIABLES_GET, VARIABLES_GET_ENTRY, VARIABLES_SET, VARIABLES_DELETE, VARIABLES_LIST, VARIABLES_INCREMENT, CONDITION_SET, CONDITION_GET, EVENT_GET_CONTEXT, LOG_WRITE)
