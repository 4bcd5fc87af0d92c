"""Checks pipelines that use the plugin: as Buildkite's own schema has them, and their options as plugin.yml has them.

Usage: plugin_examples.py PLUGIN_YML FILE…; of a Markdown file every `yml` block that has steps is a pipeline.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import jsonschema
import yaml

NAME = "infra/buildkite-plugin"


def pipelines(path: Path) -> list[str]:
    text = path.read_text()
    if path.suffix != ".md":
        return [text]
    blocks = re.findall(r"^```ya?ml\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return [block for block in blocks if block.startswith("steps:")]


def options(pipeline: str) -> list[object]:
    """What each step hands to the plugin."""
    found = []
    for step in yaml.safe_load(pipeline)["steps"]:
        for plugin in step.get("plugins", []) if isinstance(step, dict) else []:
            found += [given for place, given in plugin.items() if place.split("#")[0].endswith(NAME)]
    return found


def main() -> int:
    schema = yaml.safe_load(Path(sys.argv[1]).read_text())["configuration"]
    validator = jsonschema.Draft7Validator({"type": "object", **schema})
    wrong = used = 0
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for path in map(Path, sys.argv[2:]):
            for index, pipeline in enumerate(pipelines(path)):
                files.append(Path(folder) / f"{path.stem}-{index}.yml")
                files[-1].write_text(pipeline)
                for given in options(pipeline):
                    used += 1
                    for error in validator.iter_errors(given):
                        wrong += 1
                        print(f"{path}: {error.json_path}: {error.message}")
        checked = subprocess.run(
            [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.buildkite", *map(str, files)],
            check=False,
        )
    print(f"{len(files)} pipelines, {used} uses of the plugin, {wrong} wrong options")
    return 1 if wrong or used == 0 or checked.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
