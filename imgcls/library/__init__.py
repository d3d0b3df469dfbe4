"""What `import imgcls` offers, on the same run folders, checkpoints and data as the terminal and the page."""
