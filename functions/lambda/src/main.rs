//! `launchgate-lambda`: the gate's routes as an AWS Lambda function (function URL or API Gateway).

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use launchgate_service::{Environment, GateService, LogFormat, TriggersFile, init_logs, install_crypto};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("launchgate-lambda: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// `LAUNCHGATE_CONFIG` names the triggers file inside the function's package; `LAUNCHGATE_…` variables
/// replace single values. Lambda's disk forgets: a `SQLite` ledger needs `ephemeralDisk: allowed` typed out.
async fn run() -> anyhow::Result<()> {
    install_crypto();
    let environment = Environment::of_process();
    let config = PathBuf::from(environment.get("LAUNCHGATE_CONFIG").unwrap_or("launchgate.yaml"));
    let file = TriggersFile::read(&config, &environment)?;
    let folder = config.parent().map(PathBuf::from).unwrap_or_default();
    let config = Arc::new(file.usable()?);
    init_logs(LogFormat::CloudLogging, environment.get("LAUNCHGATE_LOG"), Some(&config.vertex.project));
    let service = GateService::start(config, &folder, &environment).map_err(anyhow::Error::msg)?;
    lambda_http::run(service.router()).await.map_err(anyhow::Error::from_boxed)
}
