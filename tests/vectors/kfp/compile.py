"""Compiles pipelines that use every feature of one KFP SDK, for the tests of the template reader.

usage: python compile.py FOLDER      with the Python of one environment; README.md says how to make them

Writes for each pipeline NAME that this SDK can say:
  NAME.yaml          what `kfp dsl compile` writes
  NAME.json          the same as JSON, for some
  NAME.values.json   the first YAML document as PyYAML reads it, the reading that Google's SDK sends to Vertex AI
and inputs.json: the inputs of each pipeline as the SDK holds them in memory, never read back from the files.
"""

import importlib.metadata
import json
import pathlib
import sys
from typing import Dict, List, NamedTuple, Optional

import yaml
from google.protobuf import json_format
from kfp import compiler, dsl, kubernetes
from kfp.compiler import pipeline_spec_builder
from kfp.dsl import Artifact, Dataset, Input, Metrics, Model, Output

VERSION = tuple(int(part) for part in importlib.metadata.version("kfp").split(".")[:2])
AS_JSON = ("types", "loops", "nested", "literals")


@dsl.component
def say(text: str) -> str:
    return text


@dsl.component
def count(number: int = 3) -> int:
    return number


@dsl.component
def numbers() -> List[int]:
    return [1, 2, 3]


@dsl.component
def fail(message: str) -> None:
    raise ValueError(message)


@dsl.component
def make_dataset(name: str, dataset: Output[Dataset]) -> None:
    with open(dataset.path, "w") as file:
        file.write(name)


@dsl.component
def train(dataset: Input[Dataset], epochs: int, model: Output[Model], metrics: Output[Metrics]) -> float:
    metrics.log_metric("loss", 0.1)
    return 0.1


@dsl.component
def merge(datasets: Input[List[Dataset]]) -> int:
    return len(datasets)


@dsl.component
def everything(a: str, b: int, c: float, d: bool, e: list, f: dict) -> str:
    return str((a, b, c, d, e, f))


@dsl.component
def maybe(a: Optional[str] = None, b: Optional[int] = None, c: Optional[dict] = None) -> str:
    return str((a, b, c))


@dsl.component
def maybe_model(model: Optional[Input[Model]] = None) -> bool:
    return model is not None


@dsl.component
def told(status: dsl.PipelineTaskFinalStatus, recipient: str) -> None:
    print(status.state, recipient)


@dsl.component
def several(text: str) -> NamedTuple("Outputs", [("first", str), ("second", Dict[str, int])]):
    return text, {}


@dsl.container_component
def container(text: str, model: Output[Model], limit: Optional[int] = None):
    return dsl.ContainerSpec(
        image="us-docker.pkg.dev/acme-ml/training/fraud-train:v1",
        command=["sh", "-c"],
        args=[
            dsl.ConcatPlaceholder(["--text=", text, ": 'quoted' \"twice\""]),
            dsl.IfPresentPlaceholder(input_name="limit", then=["--limit", limit], else_=["--no-limit"]),
            "--out", model.path,
        ])


@dsl.pipeline
def condition(word: str = "yes", threshold: float = 0.5):
    """`dsl.Condition`, which the older SDKs have alone."""
    first = say(text=word)
    with dsl.Condition(first.output == "yes", name="it is yes"):
        counted = count(number=12)
        with dsl.Condition(counted.output > 11):
            say(text="large")
    with dsl.Condition(threshold >= 0.25):
        say(text="no")


@dsl.pipeline
def loops(words: List[str] = ["on", "off", "1e3"], pairs: list = [{"a": "x", "b": 1}, {"a": "y", "b": 2}]):
    with dsl.ParallelFor(items=["null", "12e4", "822e615"], parallelism=2) as word:
        say(text=word)
        with dsl.ParallelFor(items=[{"s": "0o7", "deep": {"k": [1, 2]}}, {"s": "1_0", "deep": {"k": []}}]) as item:
            say(text=item.s)
            with dsl.ParallelFor(items=words) as inner:
                say(text=inner)
    with dsl.ParallelFor(items=pairs) as pair:
        say(text=pair.a)
    with dsl.ParallelFor(items=numbers().output) as number:
        count(number=number)


@dsl.pipeline
def exit_handlers(recipient: str = "ml@example.com", url: str = ""):
    with dsl.ExitHandler(exit_task=told(recipient=recipient), name="tell: somebody"):
        fail(message=url)
        with dsl.ParallelFor(items=[1, 2]) as number:
            count(number=number)


@dsl.pipeline
def importers(uri: str, pinned: str = "gs://acme-data/fraud/2026-11"):
    first = dsl.importer(artifact_uri=uri, artifact_class=Dataset, reimport=True)
    second = dsl.importer(
        artifact_uri="gs://acme-data/fraud/2026-11", artifact_class=Dataset, reimport=False,
        metadata={"rows": 822615, "share": 0.1, "text": pinned, "yes": "no", "nested": {"on": ["off", pinned]}})
    train(dataset=first.output, epochs=1)
    train(dataset=second.output, epochs=2)


@dsl.pipeline
def artifact_lists(datasets: Input[List[Dataset]], names: List[str]):
    merge(datasets=datasets)
    with dsl.ParallelFor(items=names) as name:
        make_dataset(name=name)


@dsl.pipeline
def collected(names: List[str] = ["a", "b"]):
    with dsl.ParallelFor(items=names) as name:
        made = make_dataset(name=name)
    merge(datasets=dsl.Collected(made.outputs["dataset"]))


@dsl.pipeline
def types(
    required_text: str, required_integer: int, required_double: float, required_boolean: bool, required_list: list,
    required_struct: dict,
    hex_like: str = "822e615", exponent_like: str = "12e4", octal_like: str = "0o17", leading_zero: str = "0123",
    date_like: str = "2026-11-24", time_like: str = "2026-11-24T10:00:00Z", base_60: str = "1:30",
    norway: str = "no", tilde: str = "~", none_like: str = "null", nothing: str = "", blank: str = "  two  ",
    tab: str = "a\tb", quotes: str = "it's \"this\"", colon: str = "a: b # c",
    unicode: str = "Grüße, 世界 🚀", template: str = "{{$}} ${x}",
    long: str = "word " * 60, plain_float: str = "1.0", infinity: str = ".inf", merge_like: str = "<<", equals: str = "=",
    exact: int = 2**53, negative: int = -7, zero: int = 0,
    tenth: float = 0.1, tiny: float = 1e-07, huge: float = 1e22, whole: float = 3.0, small: float = 5e-324,
    yes: bool = True, off: bool = False,
    empty_list: list = [], deep_list: List[str] = ["on", "1_000", ["x", [], {}], {"k": "~"}],
    empty_struct: dict = {}, deep_struct: Dict[str, str] = {"yes": "no", "1": 1, "f": 1.5, "n": -0.0, "l": [True, {"o": "0o7"}]},
):
    everything(a=required_text, b=required_integer, c=required_double, d=required_boolean, e=required_list,
               f=required_struct)
    everything(a=hex_like, b=exact, c=tenth, d=yes, e=deep_list, f=deep_struct)


@dsl.pipeline
def optional_inputs(
    text: Optional[str] = None, integer: Optional[int] = None, double: Optional[float] = None,
    boolean: Optional[bool] = None, listed: Optional[list] = None, struct: Optional[dict] = None,
    with_default: Optional[str] = "on", model: Optional[Input[Model]] = None,
):
    maybe(a=text, b=integer, c=struct)
    maybe_model(model=model)


@dsl.pipeline
def artifact_inputs(dataset: Input[Dataset], base: Input[Model], any_artifact: Input[Artifact], epochs: int = 3) -> Model:
    maybe_model(model=base)
    return train(dataset=dataset, epochs=epochs).outputs["model"]


@dsl.pipeline
def innermost(text: str, data: Input[Dataset]) -> Model:
    say(text=text)
    return train(dataset=data, epochs=2).outputs["model"]


@dsl.pipeline
def inner(text: str = "0x10") -> Model:
    made = make_dataset(name=text)
    return innermost(text=text, data=made.outputs["dataset"]).output


@dsl.pipeline(name="Nested: outer, with a name of its own!", description="Two lines:\n- of text", display_name="Nested")
def nested(text: str = "yes"):
    maybe_model(model=inner(text=text).output)


if VERSION < (2, 1):

    @dsl.pipeline(name="Nested: outer, with a name of its own!", description="Two lines:\n- of text")
    def nested(text: str = "yes"):  # noqa: F811
        maybe_model(model=inner(text=text).output)


@dsl.pipeline(pipeline_root="gs://acme-pipelines/by-the-pipeline")
def caching(text: str):
    say(text=text).set_caching_options(False)
    say(text=text).set_caching_options(True)
    inner(text=text).set_caching_options(False)


@dsl.pipeline
def tasks(text: str, project: str = "acme-ml"):
    first = container(text=dsl.PIPELINE_JOB_NAME_PLACEHOLDER, limit=5)
    first.set_cpu_limit("4").set_memory_limit("16G").set_accelerator_limit(1)
    first.set_accelerator_type("NVIDIA_TESLA_T4")
    first.set_retry(num_retries=3, backoff_duration="30s", backoff_factor=2.0, backoff_max_duration="3600s")
    first.set_env_variable("ON", "off").set_env_variable("GIT", "822e615").set_display_name("1e3")
    second = several(text=text).ignore_upstream_failure().after(first)
    say(text=second.outputs["first"])
    container(text=project)
    # As a default of the pipeline this breaks the file in every version: KFP writes it into a comment as it is.
    say(text="first\n  second\n\nlast\n")
    say(text="line\u2028next\u0085bell\a")


@dsl.pipeline
def platforms(text: str = "1e3"):
    task = say(text=text)
    kubernetes.use_secret_as_env(task, secret_name="token", secret_key_to_env={"token": "TOKEN"})
    kubernetes.mount_pvc(task, pvc_name="data", mount_path="/data")
    kubernetes.add_node_selector(task, label_key="zone", label_value="no")


PIPELINES = [condition, loops, exit_handlers, importers, artifact_lists, types, optional_inputs, artifact_inputs, nested,
             caching, tasks, platforms]

if hasattr(dsl, "Collected"):
    PIPELINES.append(collected)

if hasattr(dsl, "If"):

    @dsl.pipeline
    def branches(word: str = "yes") -> str:
        chosen = say(text=word)
        with dsl.If(chosen.output == "yes"):
            yes = say(text="1")
        with dsl.Elif(chosen.output == "no"):
            no = say(text="2")
        with dsl.Else():
            other = say(text="3")
        with dsl.If(word != "", name="word is there"):
            say(text="4")
        return dsl.OneOf(yes.output, no.output, other.output)

    PIPELINES.append(branches)

if VERSION >= (2, 14):
    @dsl.pipeline
    def literals(size: str, factor: int = 2, rate: float = 0.5):
        everything(a=size, b=factor, c=rate, d=True, e=[], f={})

    PIPELINES.append(literals)

    @dsl.pipeline(pipeline_config=dsl.PipelineConfig(
        workspace=dsl.WorkspaceConfig(size="10Gi", kubernetes=dsl.KubernetesWorkspaceConfig(pvcSpecPatch={}))))
    def workspace(text: str = "off"):
        say(text=text)

    PIPELINES.append(workspace)


# The message of 2.14 and later has `literals`; no SDK up to 2.17.3 has a way to say them in Python. So they are put into
# the compiled message, and the SDK writes the file.
LITERALS = {"size": ["small", "on", "1e3"], "factor": [1, 2], "rate": [0.5, 1.0]}


def write(pipeline, name, path):
    if name != "literals":
        return compiler.Compiler().compile(pipeline, path)
    parameters = pipeline.pipeline_spec.root.input_definitions.parameters
    for parameter, allowed in LITERALS.items():
        del parameters[parameter].literals[:]
        for value in allowed:
            json_format.ParseDict(value, parameters[parameter].literals.add())
    pipeline_spec_builder.write_pipeline_spec_to_file(
        pipeline_spec=pipeline.pipeline_spec, pipeline_description=None, platform_spec=pipeline.platform_spec,
        package_path=path)


def inputs_of(pipeline):
    """The inputs as the SDK holds them: types and defaults from its message, what is needed from its own check."""
    definitions = pipeline.pipeline_spec.root.input_definitions
    inputs = {}
    for name, parameter in definitions.parameters.items():
        inputs[name] = {
            "type": type(parameter).DESCRIPTOR.fields_by_name["parameter_type"].enum_type.values_by_number[
                parameter.parameter_type].name,
            "default": json_format.MessageToDict(parameter.default_value) if parameter.HasField("default_value") else None,
            "has_default": parameter.HasField("default_value"),
            "literals": [json_format.MessageToDict(literal) for literal in getattr(parameter, "literals", [])],
        }
    for name in definitions.artifacts:
        inputs[name] = {"type": "artifact", "default": None, "has_default": False, "literals": []}
    for name, one in inputs.items():
        one["required"] = name in pipeline.required_inputs
    return inputs


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    whole = {"kfp": importlib.metadata.version("kfp"), "kfp-kubernetes": importlib.metadata.version("kfp-kubernetes"),
             "PyYAML": yaml.__version__, "python": sys.version.split()[0], "pipelines": {}}
    for pipeline in PIPELINES:
        name = pipeline.pipeline_func.__name__.replace("_", "-")
        path = folder / f"{name}.yaml"
        write(pipeline, name, str(path))
        if name in AS_JSON:
            write(pipeline, name, str(folder / f"{name}.json"))
        documents = list(yaml.safe_load_all(path.read_text()))
        values = json.dumps(documents[0], separators=(",", ":"), allow_nan=False)
        (folder / f"{name}.values.json").write_text(values + "\n")
        whole["pipelines"][name] = {"documents": len(documents), "inputs": inputs_of(pipeline)}
    (folder / "inputs.json").write_text(json.dumps(whole, indent=1, sort_keys=True) + "\n")
    print(f"{folder}: {len(PIPELINES)} pipelines of KFP {whole['kfp']}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(pathlib.Path(sys.argv[1]))
