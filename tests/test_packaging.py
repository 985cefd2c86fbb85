"""The package as it is shipped: which folders, which files, what an import costs."""

import os
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import datalchemy
import pytest

ROOT = Path(datalchemy.__file__).resolve().parent
PROJECT = ROOT / "pyproject.toml"

pytestmark = pytest.mark.skipif(not PROJECT.exists(), reason="looks at the checkout; here the installed package is tested")


def folders() -> set[str]:
    """Folders of the checkout that are packages."""
    kept = {ROOT}
    for folder in sorted(path.parent for path in ROOT.rglob("__init__.py")):
        inside = folder.relative_to(ROOT).parts
        if not any(part.startswith(".") or part in ("build", "dist", "tests", "bench", "out") for part in inside):
            kept.add(folder)
    return {".".join(("datalchemy", *folder.relative_to(ROOT).parts)) for folder in kept}


def test_the_packages_of_pyproject_are_the_folders_there_are() -> None:
    declared = tomllib.loads(PROJECT.read_text())["tool"]["setuptools"]["packages"]
    assert sorted(declared) == sorted(folders())


def test_every_folder_with_python_files_is_a_package() -> None:
    for name in folders():
        folder = ROOT.joinpath(*name.split(".")[1:])
        for inner in folder.iterdir():
            if (
                inner.is_dir()
                and not inner.name.startswith((".", "__"))
                and inner.name not in ("tests", "bench", "docs", "build", "dist", "out")
            ):
                assert not any(inner.glob("*.py")) or (inner / "__init__.py").exists(), inner


def python(*words: str, **environment: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, env={**os.environ, **environment}, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


HEAVY = ("aiohttp", "pyarrow", "openai", "datasets", "faiss", "numpy", "rich", "math_verify", "pydantic", "click", "xllamacpp")


@pytest.mark.parametrize(
    ("code", "allowed"),
    [
        ("import datalchemy", ()),
        ("import datalchemy.engine.recipe", ("pydantic",)),
        ("import datalchemy.engine.run", ("pydantic",)),
        ("import datalchemy.service.cli", ("click",)),
    ],
)
def test_an_import_loads_nothing_heavy(code: str, allowed: tuple[str, ...]) -> None:
    loaded = python("-c", f"{code}\nimport sys\nprint(*[m for m in {HEAVY!r} if m in sys.modules])").split()
    assert set(loaded) <= set(allowed)


def test_the_public_names_are_there() -> None:
    for name in datalchemy.__all__:
        assert getattr(datalchemy, name) is not None
    with pytest.raises(AttributeError):
        datalchemy.nothing  # noqa: B018


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the tracked and new files (a build writes into its source)."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard", "-z"], capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).is_file() and not name.startswith(("tests/", "bench/", ".ci/")):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    python("-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps", "--wheel-dir", str(target), str(source))
    (built,) = target.glob("*.whl")
    return built


def test_the_wheel_holds_what_runs_need_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    ours = [name for name in names if not name.startswith("datalchemy-")]
    assert all(name.startswith("datalchemy/") for name in ours)
    assert not [name for name in ours if name.startswith(("datalchemy/tests/", "datalchemy/bench/", "datalchemy/docs/"))]
    shipped = {
        "py.typed": "py.typed",
        "prompts": "prompts/*.j2",
        "recipes": "recipes/*.yaml",
        "seeds": "recipes/data/*.jsonl",
        "weights": "ember/weights/*.gguf",
        "checkpoint": "ember/weights/hf/*.safetensors",
        "report page": "formats/*.html",
    }
    for what, pattern in shipped.items():
        wanted = {f"datalchemy/{path.relative_to(ROOT)}" for path in ROOT.glob(pattern)}
        assert wanted, f"the checkout has no {what}"
        assert wanted <= set(ours), f"the wheel lacks {what}"
    python_files = {
        f"datalchemy/{path.relative_to(ROOT)}" for name in folders() for path in ROOT.joinpath(*name.split(".")[1:]).glob("*.py")
    }
    assert python_files == {name for name in ours if name.endswith(".py")}


def test_the_wheel_works_outside_the_checkout(wheel: Path, tmp_path: Path) -> None:
    """Installed into an environment of its own, which borrows the dependencies of this one."""
    venv.create(tmp_path / "venv", with_pip=False, symlinks=True)
    site = next((tmp_path / "venv").glob("lib/python3*/site-packages"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    dependencies = [path for path in sys.path if path.endswith("site-packages")]
    (site / "dependencies.pth").write_text("\n".join(dependencies))
    code = (
        "import datalchemy, pathlib; print(pathlib.Path(datalchemy.__file__).parent)\n"
        "from datalchemy.engine.recipe import Recipe; print(*Recipe.shipped())\n"
        "from datalchemy.prompts import source; assert 'problem' in source('cot.solve')\n"
        "from datalchemy.ember import weights; assert weights().is_file()\n"
        "import sys; from datalchemy.service.cli import cli; cli.main(['validate', 'cold-start-cot'])\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    interpreter = tmp_path / "venv" / "bin" / "python"
    done = subprocess.run([interpreter, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.splitlines()[0]).resolve() == (site / "datalchemy").resolve()
    assert "cold-start-cot" in done.stdout
