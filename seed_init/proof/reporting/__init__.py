# SPDX-License-Identifier: Apache-2.0
"""The report: one HTML page about records, or about a sweep, which needs nothing but a browser.

view/       from records to what a page shows, one file for each part: only it knows their layout
model.py    what a page shows
page.py     the page
sweeps.py   the page about a sweep
elements.py what every page has, with page.css
charts.py   pictures, as SVG
text.py     the user's text, harmless
"""
