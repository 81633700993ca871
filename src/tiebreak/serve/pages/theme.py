"""The look: a quiet theme with one accent colour and the fonts of the reader's own system."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
from gradio.themes.utils import colors, sizes

HERE = Path(__file__).parent
STYLE = HERE / "style.css"
SCRIPTS = (HERE / "page.js", HERE / "chats.js")
_ACCENT = colors.Color(
    name="tiebreak",
    c50="#eef7f6",
    c100="#d6ecea",
    c200="#aedad6",
    c300="#7cc3bd",
    c400="#4cc9bb",
    c500="#12857c",
    c600="#0c746b",
    c700="#0a5f58",
    c800="#0a4c47",
    c900="#093e3a",
    c950="#042624",
)
_NEUTRAL = colors.Color(
    name="tiebreak-neutral",
    c50="#fbfbfa",
    c100="#f2f4f4",
    c200="#e1e4e6",
    c300="#cbd0d4",
    c400="#9aa3aa",
    c500="#6b757d",
    c600="#5a646d",
    c700="#31393e",
    c800="#22282c",
    c900="#1b2023",
    c950="#14181a",
)
_FONT = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "sans-serif")
_MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")


def theme() -> Any:
    """The theme of the pages; it names no font that would have to be fetched."""
    base = gr.themes.Base(
        primary_hue=_ACCENT,
        secondary_hue=_ACCENT,
        neutral_hue=_NEUTRAL,
        text_size=sizes.text_lg,
        radius_size=sizes.radius_md,
        font=_FONT,
        font_mono=_MONO,
    )
    return base.set(
        body_background_fill="#fbfbfa",
        body_background_fill_dark="#14181a",
        body_text_color="#1d2327",
        body_text_color_dark="#e6eaec",
        body_text_color_subdued="#5a646d",
        body_text_color_subdued_dark="#a2adb4",
        background_fill_primary="#ffffff",
        background_fill_primary_dark="#1b2023",
        background_fill_secondary="#f2f4f4",
        background_fill_secondary_dark="#22282c",
        border_color_primary="#e1e4e6",
        border_color_primary_dark="#31393e",
        block_background_fill="transparent",
        block_background_fill_dark="transparent",
        block_border_width="0px",
        block_shadow="none",
        block_padding="0px",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        block_label_border_width="0px",
        block_label_text_color="#5a646d",
        block_label_text_color_dark="#a2adb4",
        block_title_text_color="#5a646d",
        block_title_text_color_dark="#a2adb4",
        block_title_text_weight="500",
        block_title_text_size="*text_sm",
        input_background_fill="#ffffff",
        input_background_fill_dark="#1b2023",
        input_border_color="#cbd0d4",
        input_border_color_dark="#3b454b",
        input_border_color_focus="#12857c",
        input_border_color_focus_dark="#4cc9bb",
        input_border_width="1px",
        input_shadow="none",
        input_shadow_focus="none",
        input_text_size="*text_md",
        button_primary_background_fill="#0c746b",
        button_primary_background_fill_dark="#0f8278",
        button_primary_background_fill_hover="#0a5f58",
        button_primary_background_fill_hover_dark="#12978b",
        button_primary_text_color="#ffffff",
        button_primary_text_color_dark="#ffffff",
        button_secondary_background_fill="#ffffff",
        button_secondary_background_fill_dark="#22282c",
        button_secondary_background_fill_hover="#f2f4f4",
        button_secondary_background_fill_hover_dark="#2b3338",
        button_secondary_border_color="#cbd0d4",
        button_secondary_border_color_dark="#3b454b",
        button_secondary_text_color="#1d2327",
        button_secondary_text_color_dark="#e6eaec",
        button_cancel_background_fill="#ffffff",
        button_cancel_background_fill_dark="#22282c",
        button_cancel_border_color="#b3261e",
        button_cancel_border_color_dark="#ff9c92",
        button_cancel_text_color="#b3261e",
        button_cancel_text_color_dark="#ff9c92",
        button_border_width="1px",
        button_large_text_size="*text_md",
        button_large_text_weight="500",
        button_small_text_size="*text_sm",
        button_small_text_weight="400",
        slider_color="#12857c",
        slider_color_dark="#4cc9bb",
        checkbox_background_color_selected="#0c746b",
        checkbox_background_color_selected_dark="#12857c",
        checkbox_border_color="#9aa3aa",
        checkbox_border_color_dark="#6b757d",
        checkbox_label_background_fill="transparent",
        checkbox_label_background_fill_dark="transparent",
        checkbox_label_background_fill_hover="transparent",
        checkbox_label_background_fill_hover_dark="transparent",
        checkbox_label_border_width="0px",
        checkbox_label_shadow="none",
        checkbox_label_padding="6px 0",
    )
