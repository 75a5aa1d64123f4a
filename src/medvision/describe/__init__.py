"""What a folder of files is: its layout, its cases, and a declaration of it."""
