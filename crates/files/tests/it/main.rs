//! Files and folders are whole or not there, whatever happens on the way.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use llm_files::{OutputFolder, PARTIAL, PartialFile, PartialFolder, WriteError};

/// The list of what is not finished is the process's: who empties it must be alone.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Writes a file of this name, which has it as its content, into a folder.
fn file_in(name: &str) -> impl Fn(&Path) -> Result<(), WriteError> {
    move |folder| {
        fs::write(folder.join(name), name).unwrap();
        Ok(())
    }
}

fn full_disk() -> WriteError {
    WriteError::of(Path::new("disk"))(io::ErrorKind::StorageFull.into())
}

#[test]
fn a_file_has_its_name_when_it_is_whole() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "old").unwrap();

    let mut file = PartialFile::create_in(folder.path()).unwrap();
    file.write_all(b"new").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert!(names(folder.path())[0].starts_with(PARTIAL));
    file.persist(&path).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert_eq!(names(folder.path()), ["file"]);

    llm_files::write(&path, b"newer").unwrap();
    llm_files::write_by(&path, |partial| -> Result<(), WriteError> {
        assert_eq!(fs::read(&path).unwrap(), b"newer");
        assert_eq!(partial.file_name().unwrap(), "file");
        fs::write(partial, "newest").unwrap();
        Ok(())
    })
    .unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"newest");
    assert_eq!(names(folder.path()), ["file"]);
}

#[test]
fn who_fails_leaves_what_was_there() {
    let _alone = alone();
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file");
    fs::write(&file, "old").unwrap();
    let folder = place.path().join("folder");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("mine"), "old").unwrap();

    let fill = |partial: &Path| -> Result<(), WriteError> {
        fs::write(partial, "half").unwrap();
        Err(full_disk())
    };
    llm_files::write_by(&file, fill).unwrap_err();
    let fill = |partial: &Path| fill(&partial.join("half"));
    llm_files::write_folder(&folder, fill).unwrap_err();
    drop(PartialFile::create_in(place.path()).unwrap());
    drop(PartialFolder::create_in(place.path()).unwrap());

    assert_eq!(names(place.path()), ["file", "folder"]);
    assert_eq!(fs::read(file).unwrap(), b"old");
    assert_eq!(names(&folder), ["mine"]);
}

#[test]
fn a_folder_takes_the_place_of_another() {
    let _alone = alone();
    let place = tempfile::tempdir().unwrap();
    // Those around it are made.
    let place = place.path().join("folder/in");
    let path = place.join("it");
    for name in ["first", "second"] {
        llm_files::write_folder(&path, file_in(name)).unwrap();
        assert_eq!(names(&path), [name]);
    }
    // What a crash after the renames has left is in nobody's way.
    let aside = place.join(format!("{}it", llm_files::ASIDE));
    fs::create_dir(&aside).unwrap();
    fs::write(aside.join("old"), "").unwrap();
    llm_files::write_folder(&path, file_in("third")).unwrap();
    assert_eq!(names(&path), ["third"]);
    assert_eq!(names(&place), ["it"]);
}

#[test]
fn a_folder_for_output_goes_if_it_was_made_for_nothing() {
    let _alone = alone();
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("folder");
    drop(OutputFolder::create(&path).unwrap());
    assert!(!path.exists());

    let deep = path.join("in/it");
    drop(OutputFolder::create(&deep).unwrap());
    assert!(!path.exists());

    let made = OutputFolder::create(&path).unwrap();
    fs::write(path.join("mine"), "").unwrap();
    drop(made);
    fs::remove_file(path.join("mine")).unwrap();
    // This time it was there before.
    drop(OutputFolder::create(&path).unwrap());
    // What is over is on no list.
    drop(llm_files::remove_partial());
    assert!(path.exists());
}

#[test]
fn an_error_names_the_file_and_not_its_partial_name() {
    let _alone = alone();
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("missing/file");
    let error = llm_files::write(&path, b"").unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("{}: cannot write", path.display())
    );
    assert_eq!(error.source.kind(), io::ErrorKind::NotFound);
}

#[test]
#[cfg(unix)]
fn what_is_written_is_as_public_as_any_new_file() {
    use std::os::unix::fs::PermissionsExt;
    let _alone = alone();
    let place = tempfile::tempdir().unwrap();
    let mode = |name: &str| {
        let found = fs::metadata(place.path().join(name)).unwrap();
        found.permissions().mode() & 0o777
    };
    fs::write(place.path().join("plain"), "").unwrap();
    fs::create_dir(place.path().join("plain folder")).unwrap();

    llm_files::write(&place.path().join("written"), b"").unwrap();
    let fill = |partial: &Path| -> Result<(), WriteError> {
        fs::write(partial, "").unwrap();
        Ok(())
    };
    llm_files::write_by(&place.path().join("filled"), fill).unwrap();
    llm_files::write_folder(&place.path().join("folder"), file_in("file")).unwrap();
    assert_eq!(mode("written"), mode("plain"));
    assert_eq!(mode("filled"), mode("plain"));
    assert_eq!(mode("folder"), mode("plain folder"));
}

#[test]
fn what_is_not_finished_goes_with_the_process() {
    let _alone = alone();
    let place = tempfile::tempdir().unwrap();
    llm_files::write(&place.path().join("whole"), b"").unwrap();
    let output = place.path().join("output");
    let made = OutputFolder::create(&output).unwrap();
    let in_it = PartialFile::create_in(&output).unwrap();
    let folder = PartialFolder::create_in(place.path()).unwrap();
    fs::write(folder.path().join("half"), "").unwrap();
    let used = PartialFolder::create_in(place.path()).unwrap();
    used.persist(&place.path().join("used")).unwrap();

    let removed = llm_files::remove_partial();
    assert_eq!(names(place.path()), ["used", "whole"]);

    // Who begins anew waits, here until the guard goes.
    let path = place.path().to_owned();
    let beginning = std::thread::spawn(move || PartialFile::create_in(&path).map(drop));
    std::thread::sleep(Duration::from_millis(50));
    assert!(!beginning.is_finished());
    assert_eq!(names(place.path()).len(), 2);
    drop(removed);
    beginning.join().unwrap().unwrap();
    drop((in_it, folder, made));
}

#[test]
fn whatever_is_there_is_removed() {
    let _alone = alone();
    let place = tempfile::tempdir().unwrap();
    file_in("file")(place.path()).unwrap();
    let folder = place.path().join("folder");
    fs::create_dir(&folder).unwrap();
    file_in("kept")(&folder).unwrap();
    #[cfg(unix)]
    {
        let link = place.path().join("link");
        std::os::unix::fs::symlink(&folder, &link).unwrap();
        llm_files::remove(&link).unwrap();
        assert_eq!(names(&folder), ["kept"]);
    }
    for name in ["file", "folder", "missing"] {
        llm_files::remove(&place.path().join(name)).unwrap();
    }
    assert_eq!(names(place.path()), [""; 0]);
}
