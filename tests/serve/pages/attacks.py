"""Texts that want to be more than text."""

from __future__ import annotations

ATTACKS = (
    "<script>window.__pwned = 1</script>",
    "<img src=x onerror='window.__pwned = 2'>",
    "<svg onload=window.__pwned=3><a xlink:href='javascript:window.__pwned=3'>x</a></svg>",
    "[click](javascript:window.__pwned=4) <a href='javascript:window.__pwned=4'>click</a>",
    "![picture](http://evil.invalid/pixel.png) <img src='http://evil.invalid/pixel.png'>",
    "<iframe srcdoc='<script>parent.__pwned=5</script>'></iframe><style>*{display:none}</style>",
    "${window.__pwned=6} {{constructor.constructor('window.__pwned=6')()}} `${alert(6)}`",
    "\"><button data-pick='x' onclick='window.__pwned=7' class='tb-pick'>y</button> ' onmouseover='window.__pwned=7",
    "</textarea></title><body onload=window.__pwned=8><meta http-equiv=refresh content='0;url=http://evil.invalid'>",
    "$$\\href{javascript:window.__pwned=9}{x}$$ <math><mi xlink:href='javascript:window.__pwned=9'>m</mi></math>",
    "[a](java&#115;cript:window.__pwned=10) <javascript:window.__pwned=10> [b][r]\n\n[r]: javascript:window.__pwned=10",
    "![d](data:image/svg+xml,<svg onload=window.__pwned=11>) [t](data:text/html,<script>window.__pwned=11</script>)",
    "$\\text{<img src=x onerror=window.__pwned=12>}$ $\\class{tb-pick}{x}$ $\\includegraphics{http://evil.invalid/x.png}$",
    '```"><img src=x onerror=window.__pwned=13>\n<img src=x onerror=window.__pwned=13>\n```\n`<img src=x onerror=1>`',
    "| <img src=x onerror=window.__pwned=14> |\n|---|\n| [x](javascript:window.__pwned=14) |",
    "> " * 60 + "- " * 60 + "<img src=x onerror=window.__pwned=15>",
    '[x](https://example.org "\\" onmouseover=window.__pwned=16 ")',
    "```html\n<script>window.__pwned = 17</script>",
)
"""Each writes `window.__pwned` or fetches from `evil.invalid` where it gets through; the last fence stays open."""
