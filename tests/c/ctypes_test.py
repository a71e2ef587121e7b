#!/usr/bin/env python3
"""The C interface from another language: ctypes_test.py LIBRARY PROGRAM. Oracles: the program's own answers, and what grpo/c.h says."""
import ctypes
import math
import json
import os
import subprocess
import sys
import tempfile
import threading
import unittest

LIBRARY, PROGRAM = sys.argv[1], sys.argv[2]
CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_char), ctypes.c_size_t, ctypes.c_void_p)
MODEL = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1,
         "max_position_embeddings": 64}


def load_library():
    lib = ctypes.CDLL(LIBRARY)
    for name in ("grpo_version", "grpo_error"):
        getattr(lib, name).restype = ctypes.c_char_p
    for name in ("grpo_model_load", "grpo_reward_make"):
        getattr(lib, name).restype = ctypes.c_void_p
        getattr(lib, name).argtypes = [ctypes.c_char_p, ctypes.c_char_p]
    lib.grpo_model_free.argtypes = lib.grpo_reward_free.argtypes = [ctypes.c_void_p]
    lib.grpo_tokenize.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.POINTER(ctypes.c_int32), ctypes.c_size_t,
                                  ctypes.POINTER(ctypes.c_size_t)]
    lib.grpo_detokenize.argtypes = [ctypes.c_void_p, ctypes.POINTER(ctypes.c_int32), ctypes.c_size_t, ctypes.c_int, ctypes.c_char_p,
                                    ctypes.c_size_t, ctypes.POINTER(ctypes.c_size_t)]
    lib.grpo_generate.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p, CALLBACK, ctypes.c_void_p]
    lib.grpo_score.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.POINTER(ctypes.c_double), ctypes.c_char_p,
                               ctypes.c_size_t, ctypes.POINTER(ctypes.c_size_t)]
    return lib


lib = load_library()


def make_model(folder):
    config = {"model": {"new": MODEL}, "data": {"train": {"task": "chained_arithmetic", "count": 8}, "prompt_template": "plain"},
              "trainer": {"output_dir": folder, "max_steps": 1, "batch_size": 4}}
    file = os.path.join(folder, "config.json")
    with open(file, "w") as out:
        json.dump(config, out)
    subprocess.run([PROGRAM, "sft", file], check=True, capture_output=True)
    return os.path.join(folder, "model")


def score(reward, problem, completion, capacity=200):
    value, length, reason = ctypes.c_double(), ctypes.c_size_t(), ctypes.create_string_buffer(max(capacity, 1))
    status = lib.grpo_score(reward, json.dumps(problem).encode(), completion.encode(), ctypes.byref(value), reason, capacity, ctypes.byref(length))
    return status, value.value, reason.value.decode(), length.value


class Rewards(unittest.TestCase):
    def test_a_right_and_a_wrong_answer(self):
        reward = lib.grpo_reward_make(b"accuracy", None)
        self.assertEqual(score(reward, {"question": "?", "answer": "1/2"}, "<answer>0.5</answer>")[:2], (0, 1.0))
        status, value, reason, length = score(reward, {"question": "?", "answer": "1/2"}, "<answer>0.6</answer>")
        self.assertEqual((status, value, length), (0, 0.0, len(reason.encode())))
        self.assertEqual(score(reward, {"question": "?", "answer": "1/2"}, "<answer>0.6</answer>", capacity=4)[2], reason[:3])
        lib.grpo_reward_free(reward)

    def test_options_are_read_and_wrong_ones_named(self):
        reward = lib.grpo_reward_make(b"length", b'{"target": 4}')
        self.assertIsNotNone(reward)
        lib.grpo_reward_free(reward)
        self.assertIsNone(lib.grpo_reward_make(b"length", b'{"targt": 4}'))
        self.assertIn("target", lib.grpo_error().decode())
        self.assertIsNone(lib.grpo_reward_make(b"acuracy", None))
        self.assertIn("accuracy", lib.grpo_error().decode())
        self.assertIsNone(lib.grpo_reward_make(None, None))
        self.assertIn("NULL", lib.grpo_error().decode())

    def test_what_is_no_problem_is_an_error_and_nothing_else(self):
        reward = lib.grpo_reward_make(b"accuracy", None)
        value = ctypes.c_double(math.nan)
        self.assertNotEqual(lib.grpo_score(reward, b'{"question', b"x", ctypes.byref(value), None, 0, None), 0)
        self.assertIn("problem", lib.grpo_error().decode())
        lib.grpo_reward_free(reward)

    def test_errors_are_of_their_thread(self):
        self.assertIsNone(lib.grpo_reward_make(b"nothing like it", None))
        seen = []
        thread = threading.Thread(target=lambda: seen.append(lib.grpo_error()))
        thread.start()
        thread.join()
        self.assertEqual(seen, [b""])


class Models(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.path = make_model(cls.folder.name)
        cls.model = lib.grpo_model_load(cls.path.encode(), b'{"device": "cpu"}')
        assert cls.model, lib.grpo_error()

    @classmethod
    def tearDownClass(cls):
        lib.grpo_model_free(cls.model)
        cls.folder.cleanup()

    def tokenize(self, text, capacity):
        ids, count = (ctypes.c_int32 * max(capacity, 1))(), ctypes.c_size_t()
        self.assertEqual(lib.grpo_tokenize(self.model, text.encode(), 0, ids, capacity, ctypes.byref(count)), 0)
        return list(ids)[:min(count.value, capacity)], count.value

    def generate(self, options, most=10**6):
        parts = []

        def take(text, length, _):
            parts.append(ctypes.string_at(text, length))
            return 1 if len(parts) >= most else 0
        status = lib.grpo_generate(self.model, b"3+5=?", options, CALLBACK(take), None)
        return status, b"".join(parts).decode(), len(parts)

    def test_ids_there_and_back(self):
        text = "3+5=8, naïve 😀"
        ids, count = self.tokenize(text, 100)
        self.assertEqual(len(ids), count)
        self.assertEqual(self.tokenize(text, 3), (ids[:3], count))
        array, length, out = (ctypes.c_int32 * count)(*ids), ctypes.c_size_t(), ctypes.create_string_buffer(100)
        self.assertEqual(lib.grpo_detokenize(self.model, array, count, 0, out, 100, ctypes.byref(length)), 0)
        self.assertEqual((out.value.decode(), length.value), (text, len(text.encode())))

    def test_samples_are_those_of_the_program(self):
        options = {"temperature": 1.0, "seed": 7, "max_completion_length": 12, "prompt_template": "plain"}
        status, text, _ = self.generate(json.dumps(options).encode())
        self.assertEqual(status, 0, lib.grpo_error())
        printed = subprocess.run([PROGRAM, "generate", "--model", self.path, "--prompt", "3+5=?", "--temperature", "1", "--seed", "7",
                                  "--max-completion-length", "12", "--prompt-template", "plain"], check=True, capture_output=True).stdout
        self.assertEqual(printed.decode(errors="replace").rstrip("\n"), text.rstrip("\n"))

    def test_the_callback_may_end_it(self):
        options = b'{"temperature": 1.0, "seed": 7, "max_completion_length": 40, "prompt_template": "plain"}'
        _, whole, pieces = self.generate(options)
        status, begin, taken = self.generate(options, most=2)
        self.assertGreater(pieces, 2)
        self.assertEqual((status, taken), (0, 2))
        self.assertTrue(whole.startswith(begin))

    def test_faults_have_a_status_and_a_text(self):
        self.assertIsNone(lib.grpo_model_load(b"/nowhere", None))
        self.assertIn("/nowhere", lib.grpo_error().decode())
        self.assertIsNone(lib.grpo_model_load(self.path.encode(), b'{"devise": "cpu"}'))
        self.assertIn("device", lib.grpo_error().decode())
        for options, said in ((b'{"temprature": 1}', "temperature"), (b'{"top_p": 7}', "top_p"), (b'{"num_generations": 2}', "num_generations")):
            status, _, _ = self.generate(options)
            self.assertEqual(status, 2)
            self.assertIn(said, lib.grpo_error().decode())
        self.assertEqual(lib.grpo_generate(self.model, None, None, CALLBACK(lambda *_: 0), None), 2)


class Version(unittest.TestCase):
    def test_is_the_programs(self):
        told = json.loads(subprocess.run([PROGRAM, "info"], check=True, capture_output=True).stdout)
        self.assertEqual(lib.grpo_version().decode(), told["version"])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
