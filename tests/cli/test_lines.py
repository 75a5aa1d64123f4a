from medvision.cli.lines import print_rows


def test_names_of_any_length_stand_apart_from_what_is_said(capsys):
    rows = {"loss": "0.5", "detection/organ/mean_relative_error": "0.25"}
    print_rows(rows)
    assert [tuple(line.split()) for line in capsys.readouterr().out.splitlines()] == list(
        rows.items()
    )
