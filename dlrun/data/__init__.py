"""What is learned from: one file per dataset; files with an underscore are the plumbing they share."""
