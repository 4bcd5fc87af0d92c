"""Writes what KFP also writes and Vertex AI does not take as a pipeline, for the tests of what launchgate says of it.

usage: python compile_refused.py FOLDER      with the Python of KFP 1.8, then with that of KFP 2.17

KFP 1.8:   argo.yaml (an Argo workflow), schema-2.0.0.json (its own first form of a pipeline spec, wrapped in a job)
KFP 2.17:  pipeline-version.yaml and pipeline-and-version.yaml (resources of KFP's Kubernetes-native API)
"""

import pathlib
import sys

import kfp
from kfp import dsl


def write_1_8(folder):
    from kfp import components
    from kfp.v2 import compiler as v2_compiler
    from kfp.v2 import dsl as v2_dsl

    def say(text: str) -> str:
        return text

    argo_say = components.create_component_from_func(say, base_image="python:3.11")

    @dsl.pipeline(name="argo")
    def argo(text: str = "yes"):
        argo_say(text)

    kfp.compiler.Compiler().compile(argo, str(folder / "argo.yaml"))

    v2_say = v2_dsl.component(say)

    @v2_dsl.pipeline(name="first-form")
    def first_form(text: str = "yes"):
        v2_say(text=text)

    v2_compiler.Compiler().compile(first_form, str(folder / "schema-2.0.0.json"))


def write_2_17(folder):
    from kfp import compiler

    @dsl.component
    def say(text: str) -> str:
        return text

    @dsl.pipeline
    def native(text: str = "yes"):
        say(text=text)

    for name, with_pipeline in (("pipeline-version", False), ("pipeline-and-version", True)):
        options = compiler.KubernetesManifestOptions(
            pipeline_name="native", pipeline_version_name="native-v1", namespace="ml", include_pipeline_manifest=with_pipeline)
        compiler.Compiler().compile(
            native, str(folder / f"{name}.yaml"), kubernetes_manifest_options=options, kubernetes_manifest_format=True)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    (write_1_8 if kfp.__version__.startswith("1.") else write_2_17)(out)
