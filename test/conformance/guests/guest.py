"""A guest with the Python SDK: `sync` or `aio` is its argument. One message a line: an environment, or a call."""

import asyncio
import json
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor

import cronium
from cronium import aio


def snake(name):
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def camel(name):
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def plain(value):
    """Records as the objects that they are on the wire; a field that is none is left out there."""
    if hasattr(value, "_fields"):
        fields = zip(value._fields, value)
        return {camel(name): plain(field) for name, field in fields if field is not None or name == "value"}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return value


def arguments(call):
    """Options are keyword arguments in Python."""
    positional, named = [], {}
    for given in call["arguments"]:
        if isinstance(given, dict) and "$json" in given:
            positional.append(json.loads(given["$json"]))
        elif isinstance(given, dict):
            named = {snake(name): value for name, value in given.items()}
        elif given is not None:
            positional.append(given)
    return positional, named


def describe(error):
    if not isinstance(error, cronium.RuntimeError):
        return {"error": {"code": "no RuntimeError", "message": repr(error)}}
    described = {"code": error.code, "message": error.message}
    if error.limit:
        described["limit"] = error.limit["name"]
    if error.current_version is not None:
        described["currentVersion"] = error.current_version
    return {"error": described}


def write(value):
    return {"text": json.dumps(plain(value), ensure_ascii=False, allow_nan=False)}


def perform(client, call):
    try:
        positional, named = arguments(call)
        return write(getattr(client, snake(call["name"]))(*positional, **named))
    except Exception as error:
        return describe(error)


async def perform_aio(client, call):
    try:
        positional, named = arguments(call)
        return write(await getattr(client, snake(call["name"]))(*positional, **named))
    except Exception as error:
        return describe(error)


def join(results):
    for result in results:
        if "error" in result:
            return result
    return {"text": "[" + ",".join(result["text"] for result in results) + "]"}


def repeat(client, call):
    return [perform(client, call) for _ in range(call["times"])]


async def repeat_aio(client, call):
    return [await perform_aio(client, call) for _ in range(call["times"])]


def messages():
    for line in sys.stdin:
        yield json.loads(line)


def answer(result):
    # Lone surrogates and all: the other side reads it as JSON.
    sys.stdout.write(json.dumps(result) + "\n")
    sys.stdout.flush()


def enter(environment):
    for name in [name for name in os.environ if name.startswith("CRONIUM_")]:
        del os.environ[name]
    os.environ.update(environment)


def connect(create):
    """A client, or why there is none: what every call is answered then."""
    try:
        return create(), None
    except cronium.RuntimeError as error:
        return None, describe(error)


def main():
    client, refusal = None, None
    for message in messages():
        if "environment" in message:
            if client:
                client.close()
            enter(message["environment"])
            client, refusal = connect(cronium.Client)
            answer({})
        elif refusal:
            answer(refusal)
        elif "lanes" in message:
            with ThreadPoolExecutor(message["lanes"]) as threads:
                lanes = [threads.submit(repeat, client, message) for _ in range(message["lanes"])]
                answer(join([result for lane in lanes for result in lane.result()]))
        else:
            answer(perform(client, message))


async def main_aio():
    client, refusal = None, None
    for message in messages():
        if "environment" in message:
            if client:
                await client.close()
            enter(message["environment"])
            client, refusal = connect(aio.AsyncClient)
            answer({})
        elif refusal:
            answer(refusal)
        elif "lanes" in message:
            lanes = await asyncio.gather(*(repeat_aio(client, message) for _ in range(message["lanes"])))
            answer(join([result for lane in lanes for result in lane]))
        else:
            answer(await perform_aio(client, message))


if sys.argv[1] == "aio":
    asyncio.run(main_aio())
else:
    main()
