#include "reward/code_driver.h"

namespace grpo {
namespace {

/// Values and requests over descriptor 3. A line is ["reply", VALUE, CHANGED], ["error", TYPE, TEXT] or a request.
constexpr auto kChannel = R"py(
import builtins, decimal, fractions, json, socket, sys

if hasattr(sys, 'set_int_max_str_digits'):
    sys.set_int_max_str_digits(0)

MAX_LINE = 1 << 25


class Gone(BaseException):
    pass


class Channel:
    def __init__(self):
        self.file = socket.socket(fileno=3).makefile('rwb')
        self.objects, self.numbers, self.proxies = [], {}, {}

    def number(self, value):
        if id(value) not in self.numbers:
            self.numbers[id(value)] = len(self.objects)
            self.objects.append(value)  # kept, so that its id stays its own
        return self.numbers[id(value)]

    def encode(self, value):
        if value is None or type(value) in (bool, int, float, str):
            return value
        for kind in (int, float, str):
            if isinstance(value, kind):
                return kind(value)
        for kind, tag in ((list, 'l'), (tuple, 't'), (set, 's'), (frozenset, 'f')):
            if isinstance(value, kind):
                return [tag, [self.encode(item) for item in value]]
        if isinstance(value, dict):
            return ['d', [[self.encode(key), self.encode(item)] for key, item in value.items()]]
        if isinstance(value, (bytes, bytearray)):
            return ['b', value.hex()]
        if isinstance(value, complex):
            return ['c', [value.real, value.imag]]
        if isinstance(value, fractions.Fraction):
            return ['q', [value.numerator, value.denominator]]
        if isinstance(value, decimal.Decimal):
            return ['D', str(value)]
        if isinstance(value, range):
            return ['r', [value.start, value.stop, value.step]]
        return self.encode_object(value)

    def decode(self, value):
        if value is None or type(value) in (bool, int, float, str):
            return value
        tag, inner = value
        if tag in ('l', 't', 's', 'f'):
            kind = {'l': list, 't': tuple, 's': set, 'f': frozenset}[tag]
            return kind([self.decode(item) for item in inner])
        if tag == 'd':
            return {self.decode(key): self.decode(item) for key, item in inner}
        if tag == 'b':
            return bytes.fromhex(inner)
        if tag == 'c':
            return complex(float(inner[0]), float(inner[1]))
        if tag == 'q':
            return fractions.Fraction(int(inner[0]), int(inner[1]))
        if tag == 'D':
            return decimal.Decimal(str(inner))
        if tag == 'r':
            return range(int(inner[0]), int(inner[1]), int(inner[2]))
        if tag == 'mine':
            return self.proxy(int(inner))
        if tag == 'yours':
            return self.objects[int(inner)]
        raise ValueError('no value: ' + repr(tag))

    def send(self, message):
        self.file.write(json.dumps(message).encode() + b'\n')
        self.file.flush()

    def receive(self):
        line = self.file.readline(MAX_LINE)
        if not line.endswith(b'\n'):
            raise Gone('the program has ended')
        return json.loads(line)

    def request(self, *message, changing=()):
        try:
            self.send(list(message))
            while True:
                answer = self.receive()
                if answer[0] == 'reply':
                    for index, value in answer[2]:
                        change(changing[index], self.decode(value))
                    return self.decode(answer[1])
                if answer[0] == 'error':
                    raise_named(str(answer[1]), str(answer[2]))
                self.serve(answer)
        except OSError:
            raise Gone('the program has ended') from None

    def serve(self, message):
        try:
            value, changed = self.perform(*message)
            answer = ['reply', self.encode(value), changed]
        except Exception as error:
            answer = ['error', type(error).__name__, str(error)[:1000]]
        self.send(answer)

    def call(self, function, arguments, keywords):
        given = [self.decode(argument) for argument in arguments]
        value = function(*given, **{name: self.decode(item) for name, item in keywords.items()})
        changed = []
        for index, argument in enumerate(given):
            if isinstance(argument, (list, dict, set)):
                now = self.encode(argument)
                if now != arguments[index]:
                    changed.append([index, now])
        return value, changed


def change(mine, value):
    if type(mine) is list and type(value) is list:
        mine[:] = value
    elif type(mine) in (dict, set) and type(value) is type(mine):
        mine.clear()
        mine.update(value)


def raise_named(name, text):
    kind = getattr(builtins, name, None)
    if not (isinstance(kind, type) and issubclass(kind, Exception)):
        kind, text = RuntimeError, name + ': ' + text
    try:
        error = kind(text)
    except TypeError:
        error = RuntimeError(name + ': ' + text)
    raise error
)py";

constexpr auto kHost = R"py(
import types


class Callback:
    def __init__(self, channel, number):
        self.channel, self.remote_number = channel, number

    def __call__(self, *arguments, **keywords):
        encode = self.channel.encode
        return self.channel.request('call', self.remote_number, [encode(a) for a in arguments], {n: encode(v) for n, v in keywords.items()})


class Host(Channel):
    def __init__(self, names):
        super().__init__()
        self.names = names

    def encode_object(self, value):
        if isinstance(value, Callback):
            return ['yours', value.remote_number]
        return ['mine', self.number(value)]

    def proxy(self, number):
        return Callback(self, number)

    def perform(self, action, *rest):
        if action == 'names':
            run_program(self.names)
            given = {name: self.names[name] for name in rest[0] if name in self.names}
            return {name: value for name, value in given.items() if not isinstance(value, types.ModuleType)}, []
        target = self.objects[rest[0]]
        if action == 'call':
            return self.call(target, rest[1], rest[2])
        if action == 'method':
            return self.call(getattr(type(target), rest[1]), [['yours', rest[0]], *rest[2]], {})
        if action == 'get':
            return getattr(target, rest[1]), []
        if action == 'set':
            setattr(target, rest[1], self.decode(rest[2]))
            return None, []
        raise ValueError('no action: ' + action)


def run_program(names):
    with open('solution.py', encoding='utf-8') as file:
        source = file.read()
    exec(compile(source, 'solution.py', 'exec'), names)


module = types.ModuleType('solution')
sys.modules['solution'] = module
host = Host(module.__dict__)
while True:
    host.serve(host.receive())
)py";

constexpr auto kTester = R"py(
import ast, ctypes, os, types

ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE: no process of the same user reads this one's memory
job = json.load(sys.stdin)
results = os.fdopen(os.dup(1), 'w')
os.dup2(2, 1)  # tests may print

STANDARD = ('bisect', 'cmath', 'collections', 'copy', 'datetime', 'decimal', 'fractions', 'functools', 'heapq', 'itertools', 'json', 'math',
            'operator', 'os', 'random', 're', 'statistics', 'string', 'sys', 'time', 'typing')
FORWARDED = ('len', 'getitem', 'setitem', 'delitem', 'iter', 'next', 'reversed', 'str', 'repr', 'int', 'float', 'add', 'sub', 'mul',
             'truediv', 'floordiv', 'mod', 'pow', 'neg', 'abs', 'enter', 'exit')


class Proxy:
    """An object of the program. It answers with values; what it would say of its own truth or equality is never asked."""

    def __init__(self, number):
        object.__setattr__(self, 'remote_number', number)

    def __getattr__(self, name):
        return tester.request('get', self.remote_number, name)

    def __setattr__(self, name, value):
        tester.request('set', self.remote_number, name, tester.encode(value))

    def __call__(self, *arguments, **keywords):
        encode = tester.encode
        return tester.request('call', self.remote_number, [encode(a) for a in arguments], {n: encode(v) for n, v in keywords.items()},
                              changing=arguments)

    def __eq__(self, other):
        if other is None or isinstance(other, Proxy):
            return self is other
        raise TypeError("an object of the program's own class is compared with a value")

    def __ne__(self, other):
        return not self == other

    __hash__ = object.__hash__

    def __bool__(self):
        raise TypeError("an object of the program's own class is taken for true or false")


def forward(name):
    def method(self, *arguments):
        try:
            return tester.request('method', self.remote_number, name, [tester.encode(a) for a in arguments], changing=(self, *arguments))
        except AttributeError as error:
            raise TypeError(str(error)) from None  # as where there is no such method
    setattr(Proxy, name, method)


for short in FORWARDED:
    forward('__' + short + '__')


class Tester(Channel):
    def encode_object(self, value):
        if isinstance(value, Proxy):
            return ['yours', value.remote_number]
        if callable(value) and not isinstance(value, type):
            return ['mine', self.number(value)]
        raise TypeError('no value that can be given to the program: ' + type(value).__name__)

    def proxy(self, number):
        if number not in self.proxies:
            self.proxies[number] = Proxy(number)
        return self.proxies[number]

    def perform(self, action, number, arguments, keywords):
        if action != 'call':
            raise ValueError('no action of the tests: ' + str(action))
        return self.call(self.objects[number], arguments, keywords)


tester = Tester()


def names_of_program(names):
    given = tester.request('names', names)
    return {name: given[name] for name in names if name in given}  # and nothing that the program would like to add


def say(**line):
    results.write(json.dumps(line) + '\n')
    results.flush()


def attempt(action, counted=True):
    try:
        action()
    except Gone as error:
        why = str(error)
    except SystemExit:
        why = 'the tests have ended themselves'
    except BaseException as error:
        why = type(error).__name__ + (': ' + str(error) if str(error) else '')
    else:
        if counted:
            say(ok=True)
        return
    say(ok=False, why=why[:1000])


def fail():
    raise AssertionError('the program has nothing that the tests name')


def plain(value):
    if type(value) in (list, tuple):
        return [plain(item) for item in value]
    return value


def run_calls(name, calls):
    say(total=len(calls))
    given = {}
    attempt(lambda: given.update(names_of_program([name, 'Solution'])), counted=False)

    def judge(arguments, expected):
        function = given[name] if name in given else getattr(given['Solution'](), name)
        result = plain(function(*arguments))
        assert result == expected or (type(expected) is list and len(expected) == 1 and result == expected[0]), 'got ' + repr(result)
    for arguments, expected in calls:
        attempt((lambda: judge(arguments, expected)) if given else fail)


def is_test(node, defined):
    for part in ast.walk(node):
        if isinstance(part, ast.Assert):
            return True
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Name) and part.func.id in defined:
            return True
    return False


def run_sources(setup, tests, check):
    trees = [(ast.parse(source), counts) for sources, counts in ((setup, False), (tests, True)) for source in sources]
    nodes = [(node, counts) for tree, counts in trees for node in tree.body]
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    defined = {node.name for node, counts in nodes if isinstance(node, definitions)}
    units = [(node, counts and not isinstance(node, definitions) and is_test(node, defined)) for node, counts in nodes]
    functions = [node.name for node, counts in nodes if isinstance(node, ast.FunctionDef) and node.name.startswith('test')
                 and not node.args.args and not any(is_call(other, node.name) for other, _ in nodes)]
    checks = check if check and 'check' in defined and not any(is_call(other, 'check') for other, _ in nodes) else None
    say(total=sum(counts for _, counts in units) + len(functions) + (1 if checks else 0))

    scope = {'__name__': 'tests', '__builtins__': builtins}
    exec('from typing import *', scope)
    for name in STANDARD:
        scope[name] = __import__(name)
    wanted = {part.id for node, _ in nodes for part in ast.walk(node) if isinstance(part, ast.Name)}
    imported = [part for node, _ in nodes for part in ast.walk(node) if isinstance(part, ast.ImportFrom) and part.module == 'solution']
    wanted.update(alias.name for part in imported for alias in part.names)
    wanted.update(part.attr for node, _ in nodes for part in ast.walk(node)
                  if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part.value.id == 'solution')
    names = sorted(name for name in wanted if name not in scope and not hasattr(builtins, name))
    given = {}
    attempt(lambda: given.update(names_of_program(names + ([checks] if checks else []))), counted=False)
    scope.update((name, given[name]) for name in names if name in given)
    sys.modules['solution'] = types.SimpleNamespace(**given)

    def run(code):
        exec(compile(code, 'tests', 'exec', optimize=0), scope)
    for node, counts in units:
        attempt((lambda: run(ast.Module([node], []))) if given or not counts else fail, counts)
    for name in functions:
        attempt(scope[name] if given else fail)
    if checks:
        attempt((lambda: scope['check'](given[checks])) if checks in given else fail)


def is_call(node, name):
    return any(isinstance(part, ast.Call) and isinstance(part.func, ast.Name) and part.func.id == name for part in ast.walk(node))


if 'calls' in job:
    run_calls(job['function'], job['calls'])
else:
    run_sources(job['setup'], job['tests'], job['check'])
)py";

}  // namespace

std::string host_program() { return std::string(kChannel) + kHost; }

std::string tester_program() { return std::string(kChannel) + kTester; }

}  // namespace grpo
