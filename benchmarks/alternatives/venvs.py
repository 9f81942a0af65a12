"""Virtual environments for the alternatives, which do not install together: made with uv, kept for the next run."""

import subprocess
import sys
from pathlib import Path

REQUIREMENTS = {
    "langchain": ("langchain-postgres==0.0.19", "langchain-openai==1.7.3", "langchain-text-splitters==1.1.3"),
    "llama_index": (
        "llama-index-core==0.14.25",
        "llama-index-vector-stores-postgres==0.9.0",
        "llama-index-embeddings-openai==0.7.0",
    ),
    "pgai": ("pgai[vectorizer-worker]==0.12.1",),
    "cocoindex": ("cocoindex[postgres]==1.0.26", "openai==3.52.0"),
}
"""The newest of November 2026."""

WITHOUT = ("docling", "pymupdf4llm", "google-cloud-aiplatform", "mistral-common")
"""Not installed where pgai asks for them: it imports them for PDF files and other providers only, and they are 6 GB."""

TIMEOUT_S = 300
UV = (sys.executable, "-m", "uv", "--quiet", "--system-certs")


class NotInstalled(Exception):
    """With the reason."""


def python_of(name: str, folder: Path) -> Path:
    """The Python of an alternative's environment in `folder`, made if it is missing. Raises NotInstalled."""
    environment = folder / name
    python, stamp = environment / "bin" / "python", environment / "installed"
    wanted = "\n".join(REQUIREMENTS[name])
    if not stamp.exists() or stamp.read_text() != wanted:
        _run("venv", "--clear", f"--python={sys.executable}", str(environment))
        without = environment / "without.txt"
        without.write_text("\n".join(f"{package} ; sys_platform == 'never'" for package in WITHOUT))
        # Copies, because nltk refuses to read files that are hard links.
        options = [f"--python={python}", "--compile-bytecode", "--link-mode=copy", f"--overrides={without}"]
        _run("pip", "install", *options, *REQUIREMENTS[name])
        stamp.write_text(wanted)
    return python


def _run(*arguments: str) -> None:
    try:
        done = subprocess.run([*UV, *arguments], capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise NotInstalled(f"uv {arguments[0]} took more than {TIMEOUT_S} s") from error
    if done.returncode:
        raise NotInstalled(done.stderr.strip()[-300:])
