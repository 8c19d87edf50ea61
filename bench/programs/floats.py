"""Floating point and lists: bodies that attract each other."""


def run():
    bodies = [[float(i), float(i * i % 7), float(-i), 0.0, 0.01 * i, 0.0, 1.0 + i] for i in range(5)]
    for _ in range(4000):
        for i, one in enumerate(bodies):
            for other in bodies[i + 1 :]:
                dx, dy, dz = one[0] - other[0], one[1] - other[1], one[2] - other[2]
                force = 0.001 / ((dx * dx + dy * dy + dz * dz) + 0.1) ** 1.5
                for axis, distance in ((3, dx), (4, dy), (5, dz)):
                    one[axis] -= distance * other[6] * force
                    other[axis] += distance * one[6] * force
        for body in bodies:
            for axis in range(3):
                body[axis] += 0.001 * body[axis + 3]
    # Not to the last bit, which is up to the C library.
    return [round(value, 9) for body in bodies for value in body]
