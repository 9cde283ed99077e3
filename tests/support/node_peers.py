"""Independent peers written for Node.js: found where they are installed, or the test is skipped by name."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "tests" / "acceptance" / "peers"
INSTALLED = ROOT / ".ci" / "peers" / "node_modules"
"""Where `.ci/run` installs them (`npm install --prefix .ci/peers`); NODE_PATH is searched too."""
WITHIN_S = 30.0


def environment() -> dict[str, str]:
    """With which Node.js finds the peers."""
    places = [str(INSTALLED), os.environ.get("NODE_PATH", "")]
    return {**os.environ, "NODE_PATH": os.pathsep.join(place for place in places if place)}


def need(module: str) -> None:
    """Skip the test where Node.js or this module of it is missing."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    found = subprocess.run(
        [node, "-e", f"require.resolve('{module}')"], env=environment(), capture_output=True
    )
    if found.returncode:
        pytest.skip(f"{module} (npm) is not installed")


async def run(script: str, *arguments: str) -> list[str]:
    """The lines a script of `tests/acceptance/peers` prints. Fails when it ends badly or not in time."""
    process = await launch(script, *arguments)
    try:
        async with asyncio.timeout(WITHIN_S):
            said, cause = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, cause.decode()
    return said.decode().splitlines()


async def launch(script: str, *arguments: str) -> asyncio.subprocess.Process:
    """A script of `tests/acceptance/peers`, running; whoever launched it ends it."""
    node = shutil.which("node")
    assert node is not None
    return await asyncio.create_subprocess_exec(
        node,
        str(SCRIPTS / script),
        *arguments,
        env=environment(),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
