"""A bundle checked by programs that are not ours: Go's transparency log, OpenSSL, rfc3161-client; and by ours without stillwatch."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import rfc3161_client
import sample_case as sample
import time_stamping_authority
from cryptography import x509

from stillwatch.evidence import verify
from stillwatch.evidence.cases.bundle import write_bundle
from stillwatch.evidence.cases.errors import BundleError

GO_SOURCES = Path("/usr/share/gocode")
VECTORS = Path(__file__).resolve().parents[2] / "vectors"
pytestmark = pytest.mark.skipif(
    time_stamping_authority.missing() is not None, reason=str(time_stamping_authority.missing())
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle as a folder, and beside it what a reader trusts."""
    place = tmp_path_factory.mktemp("bundle")
    write_bundle(sample.make_sample(place / "made").files(), place / "bundle")
    (place / "log.vkey").write_text(f"{sample.LOG.verifier.text()}\n", encoding="utf-8")
    shutil.copy(sample.authority().root, place / "root.pem")
    return place


@pytest.mark.skipif(
    shutil.which("go") is None or not (GO_SOURCES / "src" / "golang.org" / "x" / "mod" / "sumdb" / "tlog").is_dir(),
    reason="Go's transparency log packages are not installed (Debian: apt-get install golang-go golang-golang-x-mod-dev)",
)
def test_go_verifies_signatures_and_proofs(folder: Path, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "GO111MODULE": "off",
        "GOPATH": str(GO_SOURCES),
        "GOCACHE": str(tmp_path),
        "GOFLAGS": "",
    }
    command = ["go", "run", "verify_case_bundle.go", str(folder / "bundle"), sample.LOG.verifier.text()]
    done = subprocess.run(
        command, cwd=VECTORS, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    records = len(list((folder / "bundle" / "records").iterdir()))
    files = sum(path.is_file() for path in (folder / "bundle").rglob("*")) - 2
    assert done.stdout == f"verified {files} files, 3 checkpoints, {records} records\n", done.stderr


def test_openssl_verifies_the_time_stamps_as_the_readme_says(folder: Path) -> None:
    bundle = folder / "bundle"
    tokens = sorted((bundle / "time").glob("*.tsr"))
    assert len(tokens) == 2
    for token in tokens:
        note = bundle / "ledger" / "checkpoints" / f"{token.name[:12]}.note"
        command = ["openssl", "ts", "-verify", "-data", note, "-in", token, "-CAfile", folder / "root.pem"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "Verification: OK" in done.stdout + done.stderr
        wrong = [*command[:4], folder / "log.vkey", *command[5:]]
        assert subprocess.run(wrong, capture_output=True, check=False).returncode != 0


def test_another_library_agrees_on_the_time(folder: Path) -> None:
    root = x509.load_pem_x509_certificate((folder / "root.pem").read_bytes())
    for token in sorted((folder / "bundle" / "time").glob("*.tsr")):
        note = (folder / "bundle" / "ledger" / "checkpoints" / f"{token.name[:12]}.note").read_bytes()
        reply = rfc3161_client.decode_timestamp_response(token.read_bytes())
        assert rfc3161_client.VerifierBuilder(roots=[root]).build().verify_message(reply, note)
        ours = verify.check_time_stamp(token.read_bytes(), note, 0, [root], [])
        assert ours.time_us // 1_000_000 == reply.tst_info.gen_time.timestamp()  # it leaves the fraction out


def run_alone(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the verifier of a bundle, isolated, where no stillwatch can be imported."""
    return subprocess.run(
        [sys.executable, "-I", *map(str, arguments)],
        cwd="/",
        env={"PATH": os.defpath},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def alone(folder: Path) -> Path:
    """A place whose `python -I` finds `cryptography` and no stillwatch: the verifier with a header that hides it."""
    hidden = folder / "hidden.py"
    hidden.write_text(
        "import runpy, sys\n"
        "class Refuse:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in {'stillwatch', 'numpy', 'pyarrow', 'jinja2', 'reportlab', 'rfc3161_client', 'orjson'}:\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Refuse())\n"
        "sys.argv = sys.argv[1:]\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n",
        encoding="utf-8",
    )
    return hidden


def test_the_verifier_of_the_bundle_works_where_there_is_no_stillwatch(folder: Path, alone: Path) -> None:
    bundle = folder / "bundle"
    done = run_alone(
        alone, bundle / "verify.py", bundle, "--log-key", folder / "log.vkey", "--authority", folder / "root.pem"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert [line[:6] for line in lines[:-1]] == [f"ok   {number}" for number in verify.STEPS]
    assert lines[-1].startswith("Every step passed for case-")


def test_exit_codes_of_the_verifier(folder: Path, alone: Path, tmp_path: Path) -> None:
    bundle = folder / "bundle"
    untrusted = run_alone(alone, bundle / "verify.py", bundle)
    assert untrusted.returncode == 2
    assert "could not be established" in untrusted.stdout
    broken = tmp_path / "broken"
    shutil.copytree(bundle, broken)
    (broken / "gaps.txt").write_text("nothing is missing", encoding="utf-8")
    failed = run_alone(alone, bundle / "verify.py", broken, "--log-key", folder / "log.vkey")
    assert failed.returncode == 1
    assert failed.stdout.startswith("FAILED step 1, ")
    assert "gaps.txt is not the file that the manifest names" in failed.stdout
    assert run_alone(alone, bundle / "verify.py", tmp_path / "nothing").returncode == 3
    assert run_alone(alone, bundle / "verify.py", bundle, "--log-key", tmp_path / "nothing").returncode == 3


def test_the_verifier_imports_the_standard_library_and_cryptography_only(folder: Path) -> None:
    text = (folder / "bundle" / "verify.py").read_text(encoding="utf-8")
    imported = {
        line.split()[1].partition(".")[0] for line in text.splitlines() if line.startswith(("import ", "from "))
    }
    assert imported - set(sys.stdlib_module_names) == {"cryptography"}
    assert "import stillwatch" not in text


def test_a_zip_is_read_like_the_folder_and_hostile_ones_are_refused(folder: Path, tmp_path: Path) -> None:
    files = verify.read_bundle(str(folder / "bundle"))
    write_bundle(files, tmp_path / "bundle.zip")
    assert verify.read_bundle(str(tmp_path / "bundle.zip")) == files
    with pytest.raises(BundleError, match="is there already"):
        write_bundle(files, tmp_path / "bundle.zip")
    for name in ("../evil", "/evil", "a//b", "a\\b", "x" * 300, "a/../b"):
        with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
            archive.writestr("manifest.json", "{}")
            archive.writestr(name, "evil")
        with pytest.raises(verify.UnreadableBundleError, match="which no bundle has"):
            verify.read_bundle(str(tmp_path / "evil.zip"))
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        info = zipfile.ZipInfo("manifest.json")
        archive.writestr(info, "x")
        info.file_size = verify.MOST_BYTES + 1
    with pytest.raises(verify.UnreadableBundleError):
        verify.read_bundle(str(tmp_path / "bomb.zip"))
    (tmp_path / "noise.zip").write_bytes(b"PK\x03\x04 noise")
    with pytest.raises(verify.UnreadableBundleError):
        verify.read_bundle(str(tmp_path / "noise.zip"))


def test_links_in_a_folder_are_not_followed(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "bundle", tmp_path / "bundle")
    (tmp_path / "bundle" / "link.txt").symlink_to(folder / "log.vkey")
    with pytest.raises(verify.UnreadableBundleError, match="neither file nor folder"):
        verify.read_bundle(str(tmp_path / "bundle"))


def test_a_name_twice_in_a_zip_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "twice.zip", "w") as archive:
        archive.writestr("manifest.json", "{}")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("manifest.json", "{}")
    with pytest.raises(verify.UnreadableBundleError, match="a name twice"):
        verify.read_bundle(str(tmp_path / "twice.zip"))
