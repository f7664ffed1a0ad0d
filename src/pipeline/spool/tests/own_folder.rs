//! The folder on a real disk: whose it is, and who may look into it.

use std::{
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::Path,
};

use super::*;

fn open_in(path: &Path) -> Result<(SpoolWriter, SpoolReader), Error> {
    Spool::open(path, small(1000), FORM)
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn a_spool_on_the_real_disk_keeps_what_it_was_given() {
    let folder = Folder::new("real");
    let path = folder.0.join("deep/below");
    let (mut writer, mut reader) = open_in(&path).unwrap();
    write(&mut writer, 0..40);
    let entry = reader.next().unwrap();
    reader.done(&entry.position);
    drop((writer, reader));
    let (mut writer, mut reader) = open_in(&path).unwrap();
    write(&mut writer, 40..50);
    assert_eq!(drain(&mut reader), Vec::from_iter(1..50));
    let figures = reader.handle().figures();
    assert_eq!((figures.skipped_bytes, figures.failed_cursors), (0, 0));
    reader.save();
    drop((writer, reader));
    let (_writer, mut reader) = open_in(&path).unwrap();
    assert!(reader.next().is_none());
    let mut names: Vec<_> = fs::read_dir(&path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["cursor", "lock"]);
}

#[test]
fn a_real_file_is_cut_off_where_it_should_be() {
    let folder = Folder::new("cut");
    let disk = disk::real::open(&folder.0).unwrap();
    let file = disk.create("file").unwrap();
    assert_eq!(file.write_at(b"0123456789", 2).unwrap(), 10);
    file.truncate(5).unwrap();
    assert_eq!(disk.length("file").unwrap(), 5);
    let mut bytes = [0xff; 8];
    assert_eq!(file.read_at(&mut bytes, 0).unwrap(), 5);
    assert_eq!(&bytes[..5], b"\x00\x00012");
}

#[test]
fn whoever_only_asks_for_figures_does_not_keep_the_folder() {
    let folder = Folder::new("asked");
    let path = folder.0.join("spool");
    let (mut writer, reader) = open_in(&path).unwrap();
    write(&mut writer, 0..3);
    let handle = reader.handle();
    drop(reader);
    let is_home = |reader: &SpoolReader| reader.handle().figures().uncounted_bytes > 0;
    let (_other, elsewhere) = open_in(&path).unwrap();
    assert!(!is_home(&elsewhere), "the writer is there still");
    drop(writer);
    let (_writer, mut reader) = open_in(&path).unwrap();
    assert!(is_home(&reader));
    assert_eq!(drain(&mut reader), [0, 1, 2]);
    assert_eq!(handle.figures().pending_records, 3, "as it was");
}

#[test]
fn links_are_not_followed() {
    let folder = Folder::new("links");
    let (target, link) = (folder.0.join("target"), folder.0.join("link"));
    fs::create_dir_all(&target).unwrap();
    symlink(&target, &link).unwrap();
    let error = open_in(&link).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().contains("link\" cannot be used: is a symbolic link"), "{error}");

    let elsewhere = folder.0.join("elsewhere");
    fs::write(&elsewhere, "precious").unwrap();
    let spool = folder.0.join("spool");
    fs::create_dir(&spool).unwrap();
    fs::set_permissions(&spool, fs::Permissions::from_mode(0o700)).unwrap();
    symlink(&elsewhere, spool.join("lock")).unwrap();
    assert_eq!(open_in(&spool).unwrap_err().kind(), ErrorKind::Io);
    fs::remove_file(spool.join("lock")).unwrap();

    // A link that is called like a segment, and one that is called like the cursor, lead nowhere.
    let segment = "0000000000000001-6d61726b65642121.seg";
    symlink(&elsewhere, spool.join(segment)).unwrap();
    symlink(&elsewhere, spool.join("cursor")).unwrap();
    symlink(&target, spool.join("2")).unwrap();
    let (mut writer, mut reader) = open_in(&spool).unwrap();
    write(&mut writer, [7]);
    assert_eq!(drain(&mut reader), [7]);
    reader.save();
    assert_eq!(reader.handle().figures().segments_set_aside, 1);
    assert!(fs::symlink_metadata(spool.join(segment)).is_err(), "it has another name now");
    assert!(spool.join(segment.replace("seg", "aside")).is_symlink());
    // The second one finds no folder at 2.
    let (mut writer, _reader) = open_in(&spool).unwrap();
    write(&mut writer, [8]);
    assert!(spool.join("3/lock").exists() && !target.join("lock").exists());
    assert_eq!(fs::read(&elsewhere).unwrap(), b"precious");
}

#[test]
fn a_folder_that_others_may_write_to_is_refused() {
    let folder = Folder::new("open");
    fs::create_dir(&folder.0).unwrap();
    for (mode, is_fine) in [(0o770, false), (0o707, false), (0o755, true), (0o700, true)] {
        fs::set_permissions(&folder.0, fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(open_in(&folder.0).is_ok(), is_fine, "{mode:o}");
    }
}

#[test]
fn the_folder_of_another_user_is_refused() {
    // The root of the disk is root's; if the tests run as root, a folder can be given away.
    let folder = Folder::new("foreign");
    fs::create_dir(&folder.0).unwrap();
    let is_root = std::os::unix::fs::chown(&folder.0, Some(12_345), None).is_ok();
    let path = if is_root { folder.0.as_path() } else { Path::new("/") };
    let error = open_in(path).unwrap_err();
    assert!(error.to_string().contains("belongs to another user"), "{error}");
    if is_root {
        std::os::unix::fs::chown(&folder.0, Some(0), None).unwrap();
        let (mut writer, reader) = open_in(&folder.0).unwrap();
        write(&mut writer, [1]);
        drop((writer, reader));
        let segment = fs::read_dir(&folder.0)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.extension().is_some_and(|ending| ending == "seg"));
        std::os::unix::fs::chown(segment.unwrap(), Some(12_345), None).unwrap();
        let (_writer, mut reader) = open_in(&folder.0).unwrap();
        assert!(reader.next().is_none());
        assert_eq!(reader.handle().figures().segments_set_aside, 1);
    }
}

#[test]
fn a_file_where_the_folder_should_be_is_an_error_that_names_it() {
    let folder = Folder::new("file");
    fs::write(&folder.0, "").unwrap();
    let error = open_in(&folder.0).unwrap_err();
    assert!(error.to_string().contains("bellwether-spool-file-"), "{error}");
    assert!(open_in(&folder.0.join("below")).is_err());
    fs::remove_file(&folder.0).unwrap();
}

/// In a process of its own, as the umask is of the whole process.
pub(super) fn modes_without_umask(path: &Path) {
    for (name, umask) in [("wide", 0), ("tight", 0o777)] {
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(umask));
        let path = path.join(name);
        let (mut writer, mut reader) = open_in(&path).unwrap();
        let _second = open_in(&path).unwrap();
        write(&mut writer, 0..3);
        let entry = reader.next().unwrap();
        reader.done(&entry.position);
        reader.save();
        assert_eq!((mode(&path), mode(&path.join("2"))), (0o700, 0o700));
        let mut n_files = 0;
        for entry in fs::read_dir(&path).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                assert_eq!(mode(&path), 0o600, "{path:?}");
                n_files += 1;
            }
        }
        assert!(n_files >= 3);
    }
}
