//! Screenshots, for people who look at them.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use thirtyfour::{WebDriver, error::WebDriverResult};

use super::chromium::wait;

/// Writes `target/screenshots/NAME.png`.
pub(super) fn take(driver: &WebDriver, name: &str) -> WebDriverResult<PathBuf> {
    let png = wait(driver.screenshot_as_png())?;
    Ok(write(name, &png).expect("room for a screenshot"))
}

fn write(name: &str, png: &[u8]) -> io::Result<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/screenshots");
    fs::create_dir_all(&folder)?;
    let path = fs::canonicalize(folder)?.join(format!("{name}.png"));
    fs::write(&path, png)?;
    Ok(path)
}
