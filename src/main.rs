//! The `ftpfs` command.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use ftpfs::cli::credentials::{self, Environment};
use ftpfs::cli::{self, Cli, Settings, hide, sync};
use ftpfs::daemon::{self, Ready, Role, Signals};
use ftpfs::{app, logging};

fn main() -> ExitCode {
    ftpfs::base::sys::share_heaps();
    let args: Vec<OsString> = std::env::args_os().collect();
    let environment = Environment::read();
    // First of all, and after both were copied.
    let hidden = hide::hide(&args);
    match cli::parse(args, &environment, &mut credentials::ask_terminal) {
        Ok(Cli::Print(text)) => {
            // `ftpfs --help | head` closes the pipe early, which is no failure.
            let _ = io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Ok(Cli::Run(mut settings)) => {
            if let Err(error) = hidden {
                settings.notes.push((log::Level::Debug, format!("the password can be seen in ps: {error}")));
            }
            run(&settings).unwrap_or_else(|error| {
                daemon::complain(&error);
                ExitCode::FAILURE
            })
        }
        Ok(Cli::Sync(directory)) => match sync::run(&directory) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                daemon::complain(&error);
                ExitCode::FAILURE
            }
        },
        Err(failure) => {
            daemon::complain(&failure.text);
            ExitCode::from(failure.status)
        }
    }
}

/// Errors are those of the process that the shell started; the worker in the background tells its own through the pipe.
fn run(settings: &Settings) -> Result<ExitCode, String> {
    let signals = Signals::block(settings.foreground).map_err(|error| format!("cannot block signals: {error}"))?;
    let role = daemon::start(settings.foreground, &signals);
    match role.map_err(|error| format!("cannot go to the background: {error}"))? {
        Role::Parent(outcome) => outcome.map(|()| ExitCode::SUCCESS),
        Role::Worker(ready) => Ok(work(settings, signals, ready)),
    }
}

fn work(settings: &Settings, signals: Signals, mut ready: Ready) -> ExitCode {
    if let Err(error) = logging::start(&settings.log) {
        ready.fail(&error);
        return ExitCode::FAILURE;
    }
    for (level, note) in &settings.notes {
        log::log!(*level, "{note}");
    }
    let outcome = match app::run(&settings.config, signals, &mut || ready.tell()) {
        Ok(()) if !ready.told() => Err("stopped before the mount was ready".to_string()),
        outcome => outcome,
    };
    let Err(error) = outcome else { return ExitCode::SUCCESS };
    if settings.log.target != logging::Target::Stderr {
        log::error!("{error}");
    }
    ready.fail(&error);
    ExitCode::FAILURE
}
