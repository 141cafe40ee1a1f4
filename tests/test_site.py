"""What scripts/site_hooks.py makes of docstrings."""

import runpy

HOOK = runpy.run_path("scripts/site_hooks.py")["on_page_content"]


def test_roles_become_code_and_formulas_stand_alone() -> None:
    assert HOOK(html="<p>as :class:<code>~a.B</code> has</p>") == "<p>as <code>a.B</code> has</p>"
    assert HOOK(html="<p>.. math:: x\n  + y</p>") == (
        '<pre class="formula"><code>x\n  + y</code></pre>'
    )
