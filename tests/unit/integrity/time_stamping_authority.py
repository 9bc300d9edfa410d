"""A real time-stamping authority of the tests' own, made with OpenSSL: a root, a signing certificate, and an HTTP server."""

from __future__ import annotations

import http.server
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CONFIG = """\
[ca]
default_ca = authority
[authority]
dir = {folder}
database = {folder}/index.txt
new_certs_dir = {folder}
serial = {folder}/serial
default_md = sha256
default_days = 3650
policy = any_name
[any_name]
commonName = supplied
[req]
distinguished_name = name
prompt = no
[name]
commonName = replaced
[root]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[stamping]
basicConstraints = critical,CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[serving]
basicConstraints = critical,CA:false
extendedKeyUsage = serverAuth
[tsa]
default_tsa = tsa_config
[tsa_config]
serial = {folder}/tsa_serial
crypto_device = builtin
signer_digest = sha256
default_policy = 1.2.3.4.1
other_policies = 1.2.3.4.5
digests = sha256, sha512
accuracy = secs:1, millisecs:500, microsecs:100
clock_precision_digits = 6
ordering = yes
tsa_name = yes
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


def missing() -> str | None:
    """Say why no authority can be made here; null where one can."""
    return (
        None if shutil.which("openssl") else "OpenSSL's command line is not installed (Debian: apt-get install openssl)"
    )


class Authority:
    """A root and a certificate for time stamping, in a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.config = folder / "openssl.cnf"
        self.config.write_text(CONFIG.format(folder=folder))
        (folder / "index.txt").touch()
        (folder / "serial").write_text("01\n")
        (folder / "tsa_serial").write_text("01\n")
        self.root = folder / "root.pem"
        self.openssl(
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650", "-config", self.config, "-extensions", "root",
            "-subj", "/CN=Test Root", "-keyout", folder / "root.key", "-out", self.root,
        )  # fmt: skip
        self.signer = self.certificate("tsa", "stamping")

    def openssl(self, *arguments: str | Path) -> bytes:
        """Run OpenSSL; its output."""
        done = subprocess.run(["openssl", *map(str, arguments)], cwd=self.folder, capture_output=True, check=False)
        if done.returncode:
            raise AssertionError(done.stderr.decode())
        return done.stdout

    def certificate(self, name: str, extensions: str) -> Path:
        """Make a key and a certificate signed by the root."""
        request, made = self.folder / f"{name}.csr", self.folder / f"{name}.pem"
        self.openssl(
            "req", "-new", "-newkey", "rsa:2048", "-nodes", "-config", self.config, "-subj", f"/CN=Test {name}",
            "-keyout", self.folder / f"{name}.key", "-out", request,
        )  # fmt: skip
        self.openssl(
            "ca", "-batch", "-notext", "-config", self.config, "-extensions", extensions, "-cert", self.root,
            "-keyfile", self.folder / "root.key", "-in", request, "-out", made,
        )  # fmt: skip
        return made

    def reply(self, request: bytes, name: str = "tsa", *more: str | Path) -> bytes:
        """Answer a request, as `openssl ts` does; with the signer's certificate where it is asked for, and no chain."""
        query, answer = self.folder / "query.tsq", self.folder / "reply.tsr"
        query.write_bytes(request)
        self.openssl(
            "ts", "-reply", "-config", self.config, "-section", "tsa_config", "-queryfile", query,
            "-inkey", self.folder / f"{name}.key", "-signer", self.folder / f"{name}.pem", *more, "-out", answer,
        )  # fmt: skip
        return answer.read_bytes()

    def openssl_verifies(self, reply: bytes, data: bytes) -> bool:
        """Say whether OpenSSL alone accepts a reply over the data."""
        (self.folder / "data").write_bytes(data)
        (self.folder / "check.tsr").write_bytes(reply)
        done = subprocess.run(
            ["openssl", "ts", "-verify", "-data", "data", "-in", "check.tsr", "-CAfile", self.root],
            cwd=self.folder, capture_output=True, check=False,
        )  # fmt: skip
        return done.returncode == 0 and b"Verification: OK" in done.stdout + done.stderr

    @contextmanager
    def serving(self, status: int = 200) -> Iterator[str]:
        """Serve HTTP on this machine; give the address."""
        authority = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = self.rfile.read(int(self.headers["Content-Length"]))
                right = self.headers["Content-Type"] == "application/timestamp-query"
                self.send_response(status if right else 415)
                if status == 302:
                    self.send_header("Location", "http://127.0.0.1:9/elsewhere")
                self.send_header("Content-Type", "application/timestamp-reply")
                self.end_headers()
                self.wfile.write(authority.reply(request))

            def log_message(self, *_: object) -> None:
                pass

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                yield f"http://127.0.0.1:{server.server_port}/tsa"
            finally:
                server.shutdown()
                thread.join()
