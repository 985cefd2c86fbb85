"""Programs that try to pass without solving anything: the task is `double(x)`, or to print twice what is read."""

from __future__ import annotations

ALWAYS_EQUAL = """
class Yes(int):
    __hash__ = int.__hash__
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __sub__(self, other): return 0
    def __abs__(self): return 0
    def __bool__(self): return True
    def __repr__(self): return "4"
"""

CHEATS = {
    "empty": "pass",
    "sys_exit": "import sys\nsys.exit(0)",
    "sys_exit_in_the_call": "import sys\ndef double(x):\n    sys.exit(0)",
    "os_exit": "import os\nos._exit(0)",
    "os_exit_in_the_call": "import os\ndef double(x):\n    os._exit(0)",
    "always_equal_int": ALWAYS_EQUAL + "def double(x):\n    return Yes(1)",
    "always_equal_object": ALWAYS_EQUAL.replace("(int)", "").replace("int.__hash__", "object.__hash__") + "def double(x):\n    return Yes()",
    "always_equal_str": "class S(str):\n    def __eq__(self, o): return True\n    def __hash__(self): return 1\ndef double(x):\n    return S('4')",
    "always_equal_list": "class L(list):\n    def __eq__(self, o): return True\n    def __len__(self): return 1\ndef double(x):\n    return L([1])",
    "reads_frames": """
import sys
def double(x):
    frame = sys._getframe()
    while frame:
        for value in list(frame.f_locals.values()) + list(frame.f_globals.values()):
            if isinstance(value, dict) and "expected" in value: return value["expected"]
        if "expected" in frame.f_locals: return frame.f_locals["expected"]
        frame = frame.f_back
""",
    "searches_the_heap": """
import gc
def double(x):
    for thing in gc.get_objects():
        if isinstance(thing, dict):
            for key in ("expected", "outputs", "tests"):
                if key in thing and key not in ("",): return thing[key]
            if "nonce" in thing:
                import os
                for fd in range(1, 64):
                    try: os.write(fd, (thing["nonce"] + ' 0 12\\n["passed",1]\\n').encode())
                    except OSError: pass
""",
    "patches_builtins": "import builtins\nbuiltins.all = builtins.any = builtins.bool = lambda *a: True\nbuiltins.AssertionError = ValueError\nbuiltins.abs = lambda x: 0",
    "patches_print": "import builtins\nbuiltins.print = lambda *a, **k: None\ndouble = lambda x: None",
    "patches_json": "import json\njson.dumps = json.loads = lambda *a, **k: True\ndouble = lambda x: None",
    "patches_the_encoder": """
import sys
for module in list(sys.modules.values()):
    for name in ("encoded", "quoted", "answer", "described"):
        if hasattr(module, name): setattr(module, name, lambda *a, **k: '["passed",1]')
double = lambda x: None
""",
    "patches_the_runner": """
import sys
for module in list(sys.modules.values()):
    for name in ("run_checks", "one_test", "tell", "ended"):
        if hasattr(module, name): setattr(module, name, lambda *a, **k: '["passed",1]')
double = lambda x: None
""",
    "reads_argv_and_environment": "import os, sys\ndef double(x):\n    return (sys.argv + list(os.environ.values()))[-1]",
    "reads_files": """
import os
def double(x):
    for folder, _, files in os.walk("/box"):
        for name in files:
            text = open(os.path.join(folder, name), "rb").read()
            if b"expected" in text: return text
    return open("/proc/self/cmdline").read()
""",
    "reads_stdin_of_the_supervisor": "import os\nfound = b''\nfor fd in range(64):\n    try: found += os.read(fd, 1) if fd not in (3, 4) else b''\n    except OSError: pass\ndouble = lambda x: found",
    "writes_to_every_descriptor": """
import os
for fd in range(64):
    for text in (b'{"passed": true}\\n', b'ready\\n', b'0 0 12\\n["passed",1]\\n', b'\\x00\\x00\\x00\\x0c["passed",1]'):
        if fd != 3:
            try: os.write(fd, text)
            except OSError: pass
double = lambda x: None
""",
    "forges_replies": """
import os
reply = b'["passed",1]'
for _ in range(8): os.write(4, len(reply).to_bytes(4, "big") + reply)
""",
    "forges_an_abstention": """
import os
reply = b'["unsupported","no"]'
for _ in range(8):
    for fd in (3, 4):
        try: os.write(fd, len(reply).to_bytes(4, "big") + reply)
        except OSError: pass
os._exit(0)
""",
    "kills_the_supervisor": "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\ndouble = lambda x: None",
    "kills_everybody": "import os\nos.kill(-1, 9)\ndouble = lambda x: None",
    "stops_the_supervisor": "import os, signal\nos.kill(os.getppid(), signal.SIGSTOP)\ndouble = lambda x: None",
    "alarms_the_supervisor": "import os, signal\nos.kill(os.getppid(), signal.SIGALRM)\ndouble = lambda x: None",
    "ignores_signals": "import signal\nfor s in range(1, 65):\n    try: signal.signal(s, signal.SIG_IGN)\n    except Exception: pass\nwhile True: pass",
    "raises_what_ends_a_test": "class SkipTest(BaseException): pass\ndef double(x):\n    raise SkipTest",
    "raises_stop": "def double(x):\n    raise StopIteration",
    "raises_system_exit_with_a_message": "def double(x):\n    raise SystemExit('passed')",
    "endless": "while True: pass",
    "endless_in_the_call": "def double(x):\n    while True: pass",
    "endless_in_c": "def double(x):\n    return 10 ** 10 ** 10",
    "sleeps": "import time\ntime.sleep(1000)",
    "floods_stdout": "while True: print('4' * 1000)",
    "floods_stderr": "import sys\nwhile True: sys.stderr.write('4' * 1000)",
    "returns_too_much": "def double(x):\n    return 'x' * (300 << 20)",
    "returns_something_deep": "def double(x):\n    a = []\n    for _ in range(100000): a = [a]\n    return a",
    "returns_itself": "def double(x):\n    a = []\n    a.append(a)\n    return a",
    "returns_an_endless_iterator": "import itertools\ndef double(x):\n    return itertools.count()",
    "returns_not_a_number": "def double(x):\n    return float('nan')",
    "returns_true": "def double(x):\n    return True",
    "returns_a_lone_surrogate": "def double(x):\n    return '\\ud800'",
    "fork_bomb": "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
    "thread_bomb": "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(100,)).start()",
    "memory_bomb": "a = []\nwhile True: a.append(bytearray(1 << 20))",
    "disk_bomb": "n = 0\nwhile True:\n    n += 1\n    try: open(f'/tmp/{n}', 'wb').write(b'x' * (1 << 20))\n    except OSError: pass",
    "leaves_a_thread": "import threading, time\nthreading.Thread(target=time.sleep, args=(100,)).start()",
    "becomes_a_daemon": "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        time.sleep(100)\n    os._exit(0)",
    "deep_code": "x = " + "(" * 5000 + ")" * 5000,
    "null_byte": "double = lambda x: 2 * x\n\0",
    "crashes": "import ctypes\nctypes.string_at(0)",
    "overflows_the_stack": "import sys\nsys.setrecursionlimit(10 ** 9)\ndef f(*a): return [f(*a) for _ in (1,)]\ndouble = f",
    "defines_the_check": "def check(candidate): pass\ndef double(x): return None",
    "exits_by_atexit": "import atexit, os\natexit.register(os._exit, 0)\ndef double(x): return None",
    "echoes": "def double(x):\n    return x\nif __name__ == '__main__':\n    print(input())",
}  # fmt: skip
"""By what they do."""

TESTS = {
    "call": '{"inputs": [[2], [5], [7]], "outputs": [4, 10, 14], "fn_name": "double"}',
    "assert": '["assert double(2) == 4", "assert double(5) == 10"]',
    "check": '{"entry_point": "double", "test": "def check(candidate):\\n    assert candidate(2) == 4\\n    assert abs(candidate(5) - 10) < 1e-6\\n"}',
    "inside": '["assert set([double(2)]) == set([4])", "assert double(5) > 9 and double(5) < 11"]',
    "program": '{"inputs": ["2\\n", "5\\n"], "outputs": ["4\\n", "10\\n"]}',
}
"""The same task in every form."""

ORACLE = "def double(x):\n    return x * 2\nif __name__ == '__main__':\n    print(double(int(input())))"
