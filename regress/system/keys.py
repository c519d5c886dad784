# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""Ed25519 keys of test nodes, by libsodium.

A node's key follows from its number, so that no test needs to carry keys
about.
"""

import base64
import ctypes
import functools
import hashlib

sodium = ctypes.CDLL("libsodium.so.23")
if sodium.sodium_init() < 0:
    raise RuntimeError("libsodium does not start")


def seed(node):
    return hashlib.sha256(b"node %d" % node).digest()


@functools.lru_cache(maxsize=None)
def pair(node):
    """Returns (public key, secret key)."""
    public = ctypes.create_string_buffer(32)
    secret = ctypes.create_string_buffer(64)
    sodium.crypto_sign_seed_keypair(public, secret, seed(node))
    return public.raw, secret.raw


def sign(node, message):
    """Returns the signature of message by the node's key."""
    out = ctypes.create_string_buffer(64)
    sodium.crypto_sign_detached(out, None, message,
        ctypes.c_ulonglong(len(message)), pair(node)[1])
    return out.raw


def line(node, key_of=None):
    """Returns the node's line of a key file, perhaps with another's key."""
    key = pair(node if key_of is None else key_of)[0]
    return "%d %s\n" % (node, base64.b64encode(key).decode())
