# SPDX-License-Identifier: Apache-2.0
"""The report: one HTML page about one record or several, which needs nothing but a browser.

model.py    what a page shows, made of loaded records: the only file that knows their layout
charts.py   pictures of it, as SVG
page.py     the page
"""
