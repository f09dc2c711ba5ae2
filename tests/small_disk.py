"""Run commands on a disk that is full or cannot be written, in a mount namespace: `unshare -rm python small_disk.py …`.

Arguments: a folder for the disk, and one for what is found. For each size in kB, and for a disk that is read-only:
`<size>.json` has what the command said, and what the same command said on a large disk; `<size>/` is the study then.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import forked

SCRIPTS = Path(__file__).parent.parent / "scripts"
TINY = ["data.n_train=192", "data.n_val=64", "data.n_test=64", "trainer.max_epochs=3", "study=mine"]
SIZES = [4, 16, 100, 180, 340, 480, 560, 700]  # a checkpoint has 150 kB, the figures 400


def mount(folder: Path, *options: str) -> None:
    """Mount a file system in memory, or change one."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(options), "none", str(folder)], check=True)


def train(folder: Path, *arguments: str) -> forked.Done:
    """Run the command."""
    return forked.run(SCRIPTS / "train.py", [*TINY, *arguments], folder)


def said(done: forked.Done) -> dict[str, int | str]:
    """What is left of a command."""
    return {"status": done.returncode, "stdout": done.stdout, "stderr": done.stderr}


def main(folder: Path, out: Path) -> None:
    """Run the command on disks of all sizes, and on one that is read-only."""
    mount(folder, "size=64m")
    for size in SIZES:
        mount(folder, "remount", f"size={size}k")
        found = [train(folder)]
        mount(folder, "remount", "size=64m")
        found.append(train(folder))
        (out / f"{size}.json").write_text(json.dumps([said(done) for done in found]))
        shutil.copytree(folder / "logs/mine", out / str(size))
        if size != SIZES[-1]:
            shutil.rmtree(folder / "logs")
    mount(folder, "remount", "ro")
    compare = forked.run(SCRIPTS / "compare.py", ["logs/mine"], folder)
    found = [train(folder), train(folder, "pooling=avg"), train(folder, "study=other"), compare]
    mount(folder, "remount", "rw")
    found.append(train(folder, "pooling=avg"))
    (out / "read-only.json").write_text(json.dumps([said(done) for done in found]))
    shutil.copytree(folder / "logs/mine", out / "read-only")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
