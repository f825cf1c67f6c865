from __future__ import annotations

from tasks.adserp.trial import Area, named, page_order, search_query


def test_the_query_comes_from_the_url_without_fragment_and_hyphens():
    url = "http://localhost/page.php?q=buy-airtex-airtex-e2337-pump#cns=1&cns=1"
    assert search_query(url, "batch_206_trial_5 | something-else") == "buy airtex airtex e2337 pump"


def test_the_query_comes_from_the_task_where_the_url_has_none():
    assert search_query("http://localhost/page.php", "batch_21_trial_9 | buy-a-b") == "buy a b"
    assert search_query("", "buy-a-b") == "buy a b"
    assert search_query("", "") == ""


def test_slots_run_top_to_bottom_with_the_right_hand_ads_last():
    right = Area("dd_right", (802, 10, 1023, 500), "r")
    low = Area("organic_result", (162, 400, 748, 500), "low")
    high = Area("native_ad", (162, 100, 702, 200), "high")
    level = Area("organic_result", (500, 100, 748, 200), "level")
    assert [area.text for area in page_order([right, low, level, high])] == ["high", "level", "low", "r"]


def test_equal_boxes_of_one_kind_are_one_and_boxes_without_area_on_the_page_are_none():
    inside, flat, below, left, half = (0, 0, 9, 9), (0, 5, 9, 5), (0, 50, 9, 60), (-9, 0, 0, 9), (0, 45, 9, 60)
    again = (0.4, 0, 9, 8.1)  # the same but for less than a pixel
    boxes = [inside, flat, inside, below, left, half, again]
    areas, notes = named({"native_ad": (boxes, ()), "dd_top": ([inside], ())}, 50)
    assert [(area.kind, area.box) for area in areas] == [("native_ad", inside), ("native_ad", half), ("dd_top", inside)]
    without, repeated = "boxes without area on the page, left out", "repeated boxes, left out"
    assert notes == (without, repeated, "boxes mostly off the page, kept")


def test_a_title_is_the_text_and_without_one_there_is_none():
    (first, second), notes = named({"organic_result": ([(0, 0, 1, 1), (0, 2, 1, 3)], ["Tea kettles", None])})
    assert (first.text, second.text, notes) == ("Tea kettles", "", ())
