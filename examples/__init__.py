"""Programs that show taskkitx at work; the tests run them."""
