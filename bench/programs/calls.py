"""Calls and whole numbers: the Fibonacci number 27, as nobody should compute it."""


def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


def run():
    return fibonacci(27)
