"""What mkdocs does besides: the roles of Sphinx in docstrings become code, formulas stand alone.

Formulas stay LaTeX: a site that asks no network for anything has no typesetter for them.
"""

import re
from typing import Any

ROLE = re.compile(r":(?:class|func|mod|data|meth|attr|exc|math):<code>~?([^<]*)</code>")
FORMULA = re.compile(r"<p>\.\. math::\s*(.*?)</p>", re.DOTALL)


def on_page_content(html: str, **_: Any) -> str:
    """A page of the site, after Markdown."""
    html = FORMULA.sub(r'<pre class="formula"><code>\1</code></pre>', html)
    return ROLE.sub(r"<code>\1</code>", html)
