"""How people and devices reach Siby: Flask, kept thin. A route parses, calls one function, commits, answers."""
