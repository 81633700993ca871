"""The pages that people use: Chat, Compare, Runs and Data, made with Gradio."""

from tiebreak.serve.pages.mount import mount_pages
from tiebreak.serve.settings import PAGE_POLICY, PageSettings

__all__ = ["PAGE_POLICY", "PageSettings", "mount_pages"]
