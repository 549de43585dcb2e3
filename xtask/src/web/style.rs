//! Puts the style into one file: what `style/main.css` imports, in its order, without comments and needless blanks.

use std::{fs, path::Path};

use anyhow::{Context, Result, bail, ensure};

/// The style as one text.
pub(super) fn bundle(folder: &Path) -> Result<String> {
    let main = read(folder, "main.css")?;
    let main = strip(&main);
    let mut imported = Vec::new();
    for rule in main.split(';').map(str::trim).filter(|rule| !rule.is_empty()) {
        let name = rule.strip_prefix("@import").map(|name| name.trim().trim_matches('"'));
        let name = name.with_context(|| format!("style/main.css only imports, but says `{rule}`"))?;
        imported.push(name);
    }
    expect_all(folder, "", &imported)?;
    expect_all(folder, "component/", &imported)?;
    let mut style = String::new();
    for name in imported {
        style.push_str(&strip(&read(folder, name)?));
        style.push('\n');
    }
    Ok(style)
}

/// A file that was forgotten would only be missed by who looks closely.
fn expect_all(folder: &Path, part: &str, imported: &[&str]) -> Result<()> {
    for entry in fs::read_dir(folder.join(part)).context("cannot list the style")? {
        let name = entry?.file_name();
        let name = format!("{part}{}", name.to_string_lossy());
        if name.ends_with(".css") && name != "main.css" {
            ensure!(
                imported.contains(&name.as_str()),
                "style/main.css does not import {name}"
            );
        }
    }
    Ok(())
}

fn read(folder: &Path, name: &str) -> Result<String> {
    let path = folder.join(name);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(text),
        Err(error) => bail!("cannot read {}: {error}", path.display()),
    }
}

/// Takes comments and needless blanks away. Strings stay as they are, and so does each blank that could mean something.
fn strip(css: &str) -> String {
    let mut out = String::with_capacity(css.len());
    let mut rest = css;
    while let Some(next) = rest.chars().next() {
        let taken = match next {
            '/' if rest.starts_with("/*") => skip_comment(rest),
            '"' | '\'' => copy_string(rest, next, &mut out),
            c if c.is_whitespace() => {
                let taken = rest.len() - rest.trim_start().len();
                if !out.ends_with(['{', '}', ';', ',', ' ']) && !out.is_empty() {
                    out.push(' ');
                }
                taken
            }
            c => {
                if matches!(c, '{' | '}' | ';' | ',') && out.ends_with(' ') {
                    out.pop();
                }
                if c == '}' && out.ends_with(';') {
                    out.pop();
                }
                out.push(c);
                c.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    out.trim_end().to_owned()
}

fn skip_comment(rest: &str) -> usize {
    rest.find("*/").map_or(rest.len(), |end| end + 2)
}

fn copy_string(rest: &str, quote: char, out: &mut String) -> usize {
    let mut escaped = false;
    let end = rest[1..].find(|c: char| {
        let ends = c == quote && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    let end = end.map_or(rest.len(), |end| end + 2);
    out.push_str(&rest[..end]);
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_blanks_go_and_meaning_stays() {
        let css =
            "/* a */ .a  .b,\n.c > .d { margin: calc(1px + 2px) ; color : red;\n}\n@media (x: y) { :root{--q:  1} }";
        assert_eq!(
            strip(css),
            ".a .b,.c > .d{margin: calc(1px + 2px);color : red}@media (x: y){:root{--q: 1}}"
        );
    }

    #[test]
    fn strings_are_left_alone() {
        let css = r#"a::before { content: "  /* no \" comment */  ; }"; }"#;
        assert_eq!(strip(css), r#"a::before{content: "  /* no \" comment */  ; }"}"#);
    }

    #[test]
    fn the_style_of_this_repository_is_whole() {
        let style = bundle(&crate::command::root().join("style")).unwrap();
        assert!(
            style.starts_with("@layer tokens"),
            "the order of the layers comes first"
        );
        assert_eq!(style.matches('{').count(), style.matches('}').count());
    }
}
