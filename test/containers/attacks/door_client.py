"""Asks the door of the run with whatever credentials it is given: the status of the answer, or the name of the error."""
import json, os, socket, ssl, sys

DOOR = "/run/cronium/"


def own(name):
    with open(DOOR + name) as file:
        return file.read()


def connect(certificate=None, key=None, path=DOOR + "api.sock"):
    context = ssl.create_default_context(cafile=DOOR + "ca.pem")
    if certificate:
        for name, text in (("certificate", certificate), ("key", key)):
            with open("/work/" + name, "w") as file:
                file.write(text)
        context.load_cert_chain("/work/certificate", "/work/key")
    plain = socket.socket(socket.AF_UNIX)
    plain.settimeout(10)
    plain.connect(path)
    return context.wrap_socket(plain, server_hostname="localhost")


def send(connection, token=None, path="/v1/input"):
    authorization = f"Authorization: Bearer {token}\r\n" if token is not None else ""
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{authorization}\r\n".encode())
    answer = connection.recv(65536).decode()
    return int(answer.split()[1]) if answer else "refused"


def ask(certificate=None, key=None, token=None):
    try:
        with connect(certificate, key) as connection:
            return send(connection, token)
    except (ssl.SSLError, ConnectionError):
        return "refused"
