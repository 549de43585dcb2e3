//! Drawings, which are documents: only their pixels come onto the page. The address of an image can be opened as a page,
//! and a drawing would then be one of this origin.

use leptos::{html, prelude::*};
use wasm_bindgen::JsCast;

use super::measured;

/// What its kind is called.
pub(super) const FORMAT: &str = "SVG";
/// The longer side of the picture, in pixels: a drawing is as sharp at any size.
const SIDE: f64 = 1600.0;
/// The size of a drawing that has none of its own, as browsers take it (CSS 2.2, 10.3.2).
const WITHOUT_SIZE: (u32, u32) = (300, 150);

/// Draws what is at an address; `broken` is told if it cannot be drawn.
pub(super) fn drawing(
    url: String,
    label: String,
    about: RwSignal<Option<String>>,
    broken: impl Fn(web_sys::ErrorEvent) + 'static,
) -> AnyView {
    let (image, canvas) = (NodeRef::<html::Img>::new(), NodeRef::<html::Canvas>::new());
    let loaded = move |_| {
        if let (Some(image), Some(canvas)) = (image.get_untracked(), canvas.get_untracked()) {
            measured(&image, FORMAT, about);
            draw(&image, &canvas);
        }
    };
    view! {
        <canvas node_ref=canvas role="img" aria-label=label></canvas>
        <img hidden node_ref=image src=url alt="" on:load=loaded on:error=broken/>
    }
    .into_any()
}

fn draw(image: &web_sys::HtmlImageElement, canvas: &web_sys::HtmlCanvasElement) -> Option<()> {
    let size = match (image.natural_width(), image.natural_height()) {
        (0, _) | (_, 0) => WITHOUT_SIZE,
        size => size,
    };
    let (width, height) = fitted(size);
    canvas.set_width(width);
    canvas.set_height(height);
    let context = canvas.get_context("2d").ok()??;
    let context: web_sys::CanvasRenderingContext2d = context.dyn_into().ok()?;
    context
        .draw_image_with_html_image_element_and_dw_and_dh(image, 0.0, 0.0, width.into(), height.into())
        .ok()
}

/// The size of the picture: the proportions of the drawing.
fn fitted((width, height): (u32, u32)) -> (u32, u32) {
    let factor = SIDE / f64::from(width.max(height));
    let side = |side: u32| (f64::from(side) * factor).round().max(1.0) as u32;
    (side(width), side(height))
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::fitted;

    #[wasm_bindgen_test]
    fn a_picture_has_the_proportions_of_its_drawing_and_no_more_than_a_bounded_size() {
        assert_eq!(fitted((16, 16)), (1600, 1600));
        assert_eq!(fitted((300, 150)), (1600, 800));
        assert_eq!(fitted((4_000_000_000, 1)), (1600, 1));
    }
}
