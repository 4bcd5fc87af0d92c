"""Retrains the fraud model with the training image that a build has just pushed.

Compile it with `pip install kfp==2.17.3 google-cloud-pipeline-components==2.22.0`, then
`python fraud_retrain.py`; commit the YAML beside it, since that is what is reviewed and what runs.
"""

from google_cloud_pipeline_components.v1.custom_job import CustomTrainingJobOp
from kfp import compiler, dsl


@dsl.pipeline(name="fraud-retrain", description="Train on the newest data, with the image of this build.")
def fraud_retrain(
    image: str,
    dataset: str,
    commit: str,
    epochs: int = 3,
    learning_rate: float = 0.001,
):
    CustomTrainingJobOp(
        display_name="fraud-train",
        worker_pool_specs=[
            {
                "machine_spec": {"machine_type": "n1-standard-8"},
                "replica_count": "1",
                "container_spec": {
                    "image_uri": image,
                    "args": [
                        f"--dataset={dataset}",
                        f"--commit={commit}",
                        f"--epochs={epochs}",
                        f"--learning-rate={learning_rate}",
                    ],
                },
            }
        ],
    )


if __name__ == "__main__":
    compiler.Compiler().compile(fraud_retrain, __file__.replace(".py", ".yaml"))
