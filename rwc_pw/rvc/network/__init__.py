"""The networks of RVC, each defined once, over operations that OpenVINO and torch both have."""
