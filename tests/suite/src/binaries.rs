//! Where the product's binaries are: built from this checkout when the first test asks.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, PoisonError},
};

/// A binary of the product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Binary {
    /// `launchgate-trigger`, the service.
    Trigger,
    /// `launchgate-webhook`, the relay.
    Webhook,
    /// `launchgate-lambda`.
    Lambda,
    /// `launchgate`, the command line.
    Cli,
}

/// How a binary was compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Profile {
    /// As the tests themselves.
    Dev,
    /// As it is shipped.
    Release,
}

impl Binary {
    fn name(self) -> &'static str {
        match self {
            Self::Trigger => "launchgate-trigger",
            Self::Webhook => "launchgate-webhook",
            Self::Lambda => "launchgate-lambda",
            Self::Cli => "launchgate",
        }
    }

    fn package(self) -> &'static str {
        match self {
            Self::Trigger => "launchgate-trigger-fn",
            Self::Webhook => "launchgate-webhook-fn",
            Self::Lambda => "launchgate-lambda-fn",
            Self::Cli => "launchgate-cli",
        }
    }

    /// The binary's file, built from the sources as they stand, so that no test judges yesterday's.
    ///
    /// `LAUNCHGATE_PREBUILT` says that they are built already, as `make test` does; `LAUNCHGATE_BIN_DIR`
    /// names a folder of release binaries to test instead: what is about to be shipped.
    pub fn path(self, profile: Profile) -> PathBuf {
        static BUILT: Mutex<BTreeMap<(Binary, Profile), PathBuf>> = Mutex::new(BTreeMap::new());
        // A build that failed has left nothing behind; the next test reports it again.
        let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
        built.entry((self, profile)).or_insert_with(|| self.find(profile)).clone()
    }

    fn find(self, profile: Profile) -> PathBuf {
        let file = format!("{}{}", self.name(), std::env::consts::EXE_SUFFIX);
        if let (Profile::Release, Some(folder)) = (profile, std::env::var_os("LAUNCHGATE_BIN_DIR")) {
            let path = Path::new(&folder).join(file);
            assert!(path.is_file(), "LAUNCHGATE_BIN_DIR holds no {}", self.name());
            return path;
        }
        let target = target_folder();
        let built = target.join(profile.folder()).join(&file);
        if std::env::var_os("LAUNCHGATE_PREBUILT").is_some() && built.is_file() {
            return built;
        }
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(env!("CARGO_MANIFEST_DIR")).arg("build").arg("--locked").arg("--quiet");
        cargo.args(["--package", self.package(), "--bin", self.name()]).arg("--target-dir").arg(&target);
        if profile == Profile::Release {
            cargo.arg("--release");
        }
        let status = cargo.status().expect("cargo starts: it runs this test");
        assert!(status.success(), "building {} failed", self.name());
        built
    }
}

impl Profile {
    fn folder(self) -> &'static str {
        match self {
            Self::Dev => "debug",
            Self::Release => "release",
        }
    }
}

/// The target folder this test was built into: `TARGET/PROFILE/deps/suite-…`.
fn target_folder() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(3).expect("a test lies three folders below the target folder").to_path_buf()
}
