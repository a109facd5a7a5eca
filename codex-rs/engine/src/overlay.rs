//! Settings that hold for one session of the TUI: laid over the user's `config.toml` in the private home, where the TUI reads
//! and writes. What the TUI itself changes there is carried over to the user's file, and nothing else: the settings laid
//! over it stay out, and so do comments, order and whatever the user's file says otherwise.

use std::io::{self, ErrorKind, Write as _};
use std::path::Path;

use toml::{Table, Value};
use toml_edit::{DocumentMut, Item, TableLike, table};

/// The file, in any home.
const CONFIG: &str = "config.toml";
/// In the place: the file in the private home as it was written there.
const BASE: &str = "overlay.toml";

/// Writes `settings` over `real`'s configuration into `home`, and notes that in `place`.
pub(crate) fn lay_over(real: &Path, place: &Path, home: &Path, settings: &str) -> io::Result<()> {
    let user = read(&real.join(CONFIG))?.unwrap_or_default();
    let text = laid(&user, settings).map_err(io::Error::other)?;
    write(&place.join(BASE), &text)?;
    write(&home.join(CONFIG), &text)
}

/// Carries over what was changed in `home`'s configuration since, and removes the file.
pub(crate) fn carry_over(real: &Path, place: &Path, home: &Path) -> io::Result<()> {
    let (base_path, own_path) = (place.join(BASE), home.join(CONFIG));
    let Some(base) = read(&base_path)? else {
        return Ok(());
    };
    if own_path.symlink_metadata().is_ok_and(|meta| meta.is_file()) {
        let now = read(&own_path)?.unwrap_or_default();
        if now != base {
            // A file of the user's that is a link stays one.
            let path = real.join(CONFIG);
            let path = path.canonicalize().unwrap_or(path);
            let user = read(&path)?.unwrap_or_default();
            // If one of them is no TOML, both are kept, as any other two files.
            if let Ok(text) = carried(&base, &now, &user) {
                if text != user {
                    write(&path, &text)?;
                }
                std::fs::remove_file(&own_path)?;
            }
        } else {
            std::fs::remove_file(&own_path)?;
        }
    }
    std::fs::remove_file(&base_path)
}

fn laid(user: &str, settings: &str) -> Result<String, toml_edit::TomlError> {
    fn lay(below: &mut dyn TableLike, above: &dyn TableLike) {
        for (key, item) in above.iter() {
            let inner = below.get_mut(key).and_then(Item::as_table_like_mut);
            match (inner, item.as_table_like()) {
                (Some(below), Some(above)) => lay(below, above),
                _ => drop(below.insert(key, item.clone())),
            }
        }
    }
    let mut document: DocumentMut = user.parse()?;
    let settings: DocumentMut = settings.parse()?;
    lay(document.as_table_mut(), settings.as_table());
    Ok(document.to_string())
}

/// `user` with what is different in `now` from `base`.
fn carried(base: &str, now: &str, user: &str) -> Result<String, Box<dyn std::error::Error>> {
    let mut document: DocumentMut = user.parse()?;
    let new: DocumentMut = now.parse()?;
    let (base, now): (Table, Table) = (base.parse()?, now.parse()?);
    change(&base, &now, new.as_table(), document.as_table_mut());
    Ok(document.to_string())
}

fn change(base: &Table, now: &Table, new: &dyn TableLike, user: &mut dyn TableLike) {
    for (key, value) in now {
        let old = base.get(key);
        let Some(item) = new.get(key).filter(|_| old != Some(value)) else {
            continue;
        };
        if let (Value::Table(value), Some(new)) = (value, item.as_table_like()) {
            let none = Table::new();
            let old = old.and_then(Value::as_table).unwrap_or(&none);
            if user.get(key).is_none_or(|item| !item.is_table_like()) {
                user.insert(key, table());
            }
            if let Some(user) = user.get_mut(key).and_then(Item::as_table_like_mut) {
                change(old, value, new, user);
            }
        } else {
            user.insert(key, item.clone());
        }
    }
    for key in base.keys().filter(|key| !now.contains_key(*key)) {
        user.remove(key);
    }
}

fn read(path: &Path) -> io::Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        text => text.map(Some),
    }
}

/// Whole or not at all; readable by the user alone, as upstream writes it.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new("/")))?;
    file.write_all(text.as_bytes())?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_tui_changed_reaches_the_users_file() {
        let user = "# mine\nmodel = \"m\" # why\ngone = 1\n\n[projects.\"/a.b\"]\ntrust_level = \"trusted\"\n";
        let base = laid(user, "model = \"o\"\n[tui]\ntheme = \"t\"\n").unwrap();
        assert!(base.contains("model = \"o\""), "{base}");
        let now = laid(&base, "[tui]\nseen = true\n[tui.nux]\nx = 4\n")
            .unwrap()
            .replace("gone = 1\n", "");
        // Meanwhile plain codex has written it too.
        let meanwhile = user.replace("/a.b", "/c");
        let text = carried(&base, &now, &meanwhile).unwrap();
        assert!(text.starts_with("# mine\nmodel = \"m\" # why\n"), "{text}");
        let table: Table = text.parse().unwrap();
        let expect = "model = 'm'\n[projects.\"/c\"]\ntrust_level = 'trusted'\n[tui]\nseen = true\nnux = { x = 4 }\n";
        assert_eq!(table, expect.parse().unwrap());
        assert_eq!(
            carried(&base, &now, &text).unwrap(),
            text,
            "it may be done again"
        );
        assert_eq!(carried(&base, &base, user).unwrap(), user);
    }
}
