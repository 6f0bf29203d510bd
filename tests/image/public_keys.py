"""Lines of authorized_keys with what has to become of them, and the keys that are in them."""

import base64
import subprocess
from collections.abc import Mapping
from pathlib import Path

KINDS = {
    "ed25519": ["-t", "ed25519"],
    "rsa": ["-t", "rsa", "-b", "2048"],
    "rsa1024": ["-t", "rsa", "-b", "1024"],
    "ecdsa": ["-t", "ecdsa", "-b", "256"],
    "ecdsa384": ["-t", "ecdsa", "-b", "384"],
    "ecdsa521": ["-t", "ecdsa", "-b", "521"],
}
"""Name of a key to the options of ssh-keygen that make it."""

LETS_IN = {
    "ed25519": "{ed25519}",
    "rsa": "{rsa}",
    "rsa1024": "{rsa1024}",
    "ecdsa": "{ecdsa}",
    "ecdsa384": "{ecdsa384}",
    "ecdsa521": "{ecdsa521}",
    "no comment": "{ed25519:bare}",
    "blanks and tabs": " \t{ed25519:tabs}  me",
    "the end of a line under Windows": "{ed25519:bare}\r",
    "a comment that names a type": "{ed25519:bare} my ssh-rsa key, AAAA",
    "flags": "restrict,pty,No-X11-Forwarding {ed25519}",
    "a comma behind the last option": "no-pty, {ed25519}",
    "quotes and blanks": 'command="true \\"a b\\" ssh-rsa AAAA",no-pty {ed25519}',
    "addresses": 'from="10.0.0.0/8,!10.1.0.0/16,172.16.0.0/12,192.168.0.0/16,127.*" {ed25519}',
    "ports": 'permitopen="localhost:80",permitopen="[::1]:*",permitlisten="8080" {ed25519}',
    "a time to come": 'expiry-time="20990230",expiry-time="209901011200" {ed25519}',
    "tunnel, environment": 'tunnel="0",environment="A=b c",environment="D=" {ed25519}',
    "for security keys": "no-touch-required,verify-required {ed25519}",
    "several commas": ",restrict,,pty {ed25519}",
    "the name of a signature": "rsa-sha2-512 {rsa:blob}",
}
"""What lets in who has the key."""

REFUSED = {
    "known_hosts": ("github.com {ed25519:bare}", "begins with 'github.com', which is no option"),
    "known_hosts, a port": ("[10.0.0.1]:22 {ed25519}", "(is this a line of known_hosts?)"),
    "known_hosts, hashed": ("|1|c2FsdA==|aGFzaA== {ed25519}", "is a line of known_hosts"),
    "known_hosts, marked": ("@cert-authority *.org {ed25519}", "is a line of known_hosts"),
    "unknown option": ("no-such-thing {ed25519}", "begins with 'no-such-thing', which is no"),
    "unknown after a known one": ("no-pty,no-such-thing {ed25519}", "'no-such-thing'"),
    "unknown with a value": ('shell="/bin/sh" {ed25519}', "begins with 'shell'"),
    "negated too much": ("no-restrict {ed25519}", "'no-restrict'"),
    "a blank between options": ("no-pty, no-user-rc {ed25519}", "has 'no-user-rc' where"),
    "principals without a CA": ('principals="jovyan" {ed25519}', "without cert-authority"),
    "a backslash before a quote": (
        'environment="A=b\\\\",pty {ed25519}',
        "no quotation mark at the end",
    ),
    "no value": ("command {ed25519}", 'write command="…"'),
    "no quotes": ("from=10.0.0.1 {ed25519}", 'write from="10'),
    "no closing quote": ('command="true {ed25519}', "no quotation mark at the end"),
    "a closing quote that is escaped": ('command="true\\" {ed25519}', "no quotation mark at the"),
    "something behind a value": ('command="true"x {ed25519}', "something behind the value"),
    "command twice": ('command="a",command="b" {ed25519}', "the option command twice"),
    "expiry-time that is none": (
        'expiry-time="tomorrow" {ed25519}',
        "a value of expiry-time that sshd",
    ),
    "expiry-time of no day": ('expiry-time="20991399" {ed25519}', "which is no date"),
    "environment without =": ('environment="A" {ed25519}', "a value of environment that sshd"),
    "permitopen without a port": (
        'permitopen="localhost" {ed25519}',
        "a value of permitopen that sshd",
    ),
    "permitopen, a port that is none": (
        'permitopen="a:65536" {ed25519}',
        "value of permitopen that",
    ),
    "permitopen, no brackets": ('permitopen="::1:80" {ed25519}', "value of permitopen that"),
    "a network with host bits": ('from="10.0.0.1/8,127.0.0.1" {ed25519}', "has host bits set"),
    "options alone": ("no-pty,no-user-rc", "options but no key behind them"),
    "DSA": ("ssh-dss {dsa} me", "of type ssh-dss, which sshd does not accept"),
    "short RSA": ("ssh-rsa {rsa768} me", "an RSA key of 768 bits; sshd accepts 1024 and more"),
    "another type in front": ("ssh-rsa {ed25519:blob}", "ssh-rsa in front of a key of type ssh-ed"),
    "upper case": ("SSH-ED25519 {ed25519:blob}", "holds no public key"),
    "a certificate": ("{certificate}", "is a certificate"),
    "a certificate of a CA": ("cert-authority {certificate}", "is a certificate"),
    "type alone": ("ssh-ed25519", "has ssh-ed25519 without a key behind it"),
    "cut short": ("{ed25519:half}", "cut short or damaged"),
    "wrapped": ("{ed25519:wrapped}", "goes on in the line below; join them"),
    "wrapped behind the type": ("ssh-rsa\n{rsa:blob}", "goes on in the line below; join them"),
    "quoted": ('"{ed25519}"', "begins with a quotation mark"),
    "a byte order mark": ("\ufeff{ed25519}", "a byte order mark"),
    "a private key": ("{private}", "is a private key"),
    "a private key, encrypted PKCS#8": ("-----BEGIN ENCRYPTED PRIVATE KEY-----", "a private key"),
    "a private key of PuTTY": ("PuTTY-User-Key-File-3: ssh-ed25519", "is a private key"),
    "a private key without its first line": ("{private:body}", "is a private key"),
    "a line of a private key": ("{private:middle}", "is a piece of base64 of 70 characters"),
    "the last line of a private key": ("{private:last}", "holds no public key"),
    "options and a line of a private key": ("pty {private:middle}", "has something else where"),
    "a line of a private key, a slash": ("/{private:middle}", "is the name of a file"),
    "RFC 4716": ("---- BEGIN SSH2 PUBLIC KEY ----", "ssh-keygen -i -f FILE"),
    "PEM": ("-----BEGIN PUBLIC KEY-----", "-m PKCS8"),
    "a fingerprint": ("SHA256:QnMykLQGs4+510yItU+PUeuDgMuasM5A0QE6NIDHPTg", "is the fingerprint"),
    "ssh-keygen -l": ("256 SHA256:QnMykLQGs4+510y me@host (ED25519)", "is the fingerprint"),
    "a path": ("~/.ssh/id_ed25519.pub", "is the name of a file"),
    "a path in the home": ("/home/me/.ssh/id_rsa", "is the name of a file"),
    "a name": ("id_ed25519.pub", "is the name of a file"),
    "text": ("a password, for example", "is text of 23 characters that holds no public key"),
}
"""What lets nobody in, and a part of what is said about it."""

LOSES_A_KEY = {
    "two keys": "{ed25519} {rsa}",
    "two keys, a backslash and n": "{ed25519}\\n{rsa}",
    "two keys, a comma": "{ed25519:bare} me,{rsa}",
    "two keys, the end of a line on an old Mac": "{ed25519:bare} me\r{rsa}",
}
"""Refused as well, although sshd would let in who has the first key of the line."""


EXPIRED = 'expiry-time="20200101" {ed25519}'
"""No mistake: the line was right once. It is named, and counts for none."""


class Key(str):
    """The text of a public key; a format names what is wanted of it.

    Formats: none for all of it, `bare` without a comment, `tabs` with tabs between its words,
    `blob` the base64 alone, `half` cut in its middle, `wrapped` as an editor wraps it.
    """

    def __format__(self, wanted: str) -> str:
        kind, blob = self.split()[:2]
        half = len(blob) // 2
        return {
            "": str(self),
            "bare": f"{kind} {blob}",
            "tabs": f"{kind}\t\t{blob}",
            "blob": blob,
            "half": f"{kind} {blob[:half]} me",
            "wrapped": f"{kind} {blob[:half]}\n{blob[half:]} me",
        }[wanted]


class PrivateKey(str):
    """The text of a private key; `body` is the line behind the first, `middle` the next one.

    `last` is the one before its end.
    """

    def __format__(self, wanted: str) -> str:
        words = self.split()
        return {"": str(self), "body": words[4], "middle": words[5], "last": words[-5]}[wanted]


def make(folder: Path) -> Mapping[str, str]:
    """Make a key of each kind in files named after it; the texts, by the names in the lines."""
    for name, options in KINDS.items():
        keygen("-q", "-N", "", "-C", f"{name}@test", "-f", folder / name, *options)
    keygen("-q", "-s", folder / "rsa", "-I", "id", "-n", "jovyan", folder / "ed25519.pub")
    texts = {name: Key((folder / f"{name}.pub").read_text().strip()) for name in KINDS}
    return {
        **texts,
        "certificate": (folder / "ed25519-cert.pub").read_text().strip(),
        "private": PrivateKey((folder / "ed25519").read_text().strip()),
        "dsa": packed(b"ssh-dss", *[bytes([1] * 128)] * 4),
        "rsa768": packed(b"ssh-rsa", b"\1\0\1", b"\0" + bytes([255] * 96)),
    }


def keygen(*words: str | Path) -> None:
    subprocess.run(["ssh-keygen", *words], check=True, capture_output=True)


def packed(*fields: bytes) -> str:
    """The base64 of a key with these fields."""
    data = b"".join(len(field).to_bytes(4, "big") + field for field in fields)
    return base64.b64encode(data).decode()
