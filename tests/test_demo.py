"""What the demo says and writes."""

import re


def test_the_demo_explains_queries_and_writes_a_page(demo):
    said = (demo / "said.txt").read_text()
    assert said.count("The network says") >= 6
    assert "What matters for beach" in said
    assert "demo/index.html" in said
    assert (demo / "demo" / "index.html").read_text().count("<img") > 50
    assert "“a white bench and a purple umbrella on the beach”" in said
    assert "what colour is the bench? The network says white (" in said
    named, units = map(int, re.search(r"(\d+) of (\d+) neurons", said).groups())
    assert named > units / 2
