-- An online shop with its back office, made up for dbrag's demo, tests and benchmarks: 40 tables and views in three
-- schemas, uneven as such databases are. Most tables have comments, some have none, and a few bear names that only their
-- makers understood. All people, cards and hashes in it are invented.

CREATE SCHEMA shop;
CREATE SCHEMA finance;
CREATE SCHEMA hr;
COMMENT ON SCHEMA shop IS 'Catalogue, customers, orders, warehouse';

-- Places -------------------------------------------------------------------------------------------------------------

CREATE TABLE shop.countries (
    country_code  char(2) PRIMARY KEY,
    name          text NOT NULL UNIQUE,
    eu_member     boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE shop.countries IS 'Countries that we deliver to, ISO 3166';

CREATE TABLE shop.addresses (
    address_id    integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    street        text NOT NULL,
    city          text NOT NULL,
    postal_code   text NOT NULL,
    country_code  char(2) NOT NULL REFERENCES shop.countries
);
COMMENT ON TABLE shop.addresses IS 'Postal addresses of customers, suppliers and warehouses';

-- Catalogue ----------------------------------------------------------------------------------------------------------

CREATE TABLE shop.categories (
    category_id  integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    parent_id    integer REFERENCES shop.categories,
    name         text NOT NULL
);
COMMENT ON TABLE shop.categories IS 'The tree by which visitors browse the assortment';
COMMENT ON COLUMN shop.categories.parent_id IS 'The category above; empty at the top';

CREATE TABLE shop.brands (
    brand_id      integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text NOT NULL UNIQUE,
    manufacturer  text
);

CREATE TABLE shop.products (
    product_id   integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sku          text NOT NULL UNIQUE,
    name         text NOT NULL,
    description  text,
    category_id  integer NOT NULL REFERENCES shop.categories,
    brand_id     integer REFERENCES shop.brands,
    unit_price   numeric(10, 2) NOT NULL,
    weight_g     integer,
    status       text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'discontinued', 'draft')),
    created_at   timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE shop.products IS 'Articles that are sold, with their current list price';
COMMENT ON COLUMN shop.products.sku IS 'Stock keeping unit, as printed on the label';

CREATE TABLE shop.price_history (
    product_id  integer NOT NULL REFERENCES shop.products,
    valid_from  date NOT NULL,
    unit_price  numeric(10, 2) NOT NULL,
    PRIMARY KEY (product_id, valid_from)
);
COMMENT ON TABLE shop.price_history IS 'What an article cost in the past';

CREATE TABLE shop.product_images (
    image_id    integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    product_id  integer NOT NULL REFERENCES shop.products,
    url         text NOT NULL,
    position    integer NOT NULL DEFAULT 0,
    thumbnail   bytea
);

CREATE TABLE shop.tags (tag_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, label text NOT NULL UNIQUE);

CREATE TABLE shop.product_tags (
    product_id  integer NOT NULL REFERENCES shop.products,
    tag_id      integer NOT NULL REFERENCES shop.tags,
    PRIMARY KEY (product_id, tag_id)
);

CREATE TABLE shop.reviews (
    review_id    integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    product_id   integer NOT NULL REFERENCES shop.products,
    customer_id  integer NOT NULL,
    stars        smallint NOT NULL CHECK (stars BETWEEN 1 AND 5),
    body         text,
    posted_at    timestamptz NOT NULL
);
COMMENT ON TABLE shop.reviews IS 'Ratings and opinions that buyers left on an article';

-- Customers ----------------------------------------------------------------------------------------------------------

CREATE TABLE shop.customers (
    customer_id    integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    full_name      text NOT NULL,
    email          text NOT NULL UNIQUE,
    phone          text,
    password_hash  text NOT NULL,
    birth_date     date,
    address_id     integer REFERENCES shop.addresses,
    newsletter     boolean NOT NULL DEFAULT false,
    registered_at  timestamptz NOT NULL
);
COMMENT ON TABLE shop.customers IS 'People who have an account';
COMMENT ON COLUMN shop.customers.newsletter IS 'Whether they agreed to marketing mail';
ALTER TABLE shop.reviews ADD FOREIGN KEY (customer_id) REFERENCES shop.customers;

CREATE TABLE shop.payment_cards (
    card_id      integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id  integer NOT NULL REFERENCES shop.customers,
    holder       text NOT NULL,
    number       text NOT NULL,
    expires      text NOT NULL
);
COMMENT ON TABLE shop.payment_cards IS 'Stored means of payment of customers';

CREATE TABLE shop.loyalty_accounts (
    customer_id  integer PRIMARY KEY REFERENCES shop.customers,
    tier         text NOT NULL CHECK (tier IN ('bronze', 'silver', 'gold')),
    points       integer NOT NULL DEFAULT 0
);
COMMENT ON TABLE shop.loyalty_accounts IS 'Members of the bonus programme and their balance';

CREATE TABLE shop.wishlists (
    customer_id  integer NOT NULL REFERENCES shop.customers,
    product_id   integer NOT NULL REFERENCES shop.products,
    added_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (customer_id, product_id)
);

CREATE TABLE shop.support_tickets (
    ticket_id    integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id  integer NOT NULL REFERENCES shop.customers,
    subject      text NOT NULL,
    priority     text NOT NULL CHECK (priority IN ('low', 'normal', 'urgent')),
    opened_at    timestamptz NOT NULL,
    closed_at    timestamptz,
    handled_by   integer
);
COMMENT ON TABLE shop.support_tickets IS 'Complaints and questions that the service desk handles';
COMMENT ON COLUMN shop.support_tickets.closed_at IS 'Empty while it is open';

CREATE TABLE shop.ticket_messages (
    message_id  integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ticket_id   integer NOT NULL REFERENCES shop.support_tickets,
    author      text NOT NULL,
    body        text NOT NULL,
    sent_at     timestamptz NOT NULL
);

-- Orders -------------------------------------------------------------------------------------------------------------

CREATE TABLE shop.coupons (
    code         text PRIMARY KEY,
    percent_off  integer NOT NULL CHECK (percent_off BETWEEN 1 AND 90),
    valid_until  date NOT NULL,
    max_uses     integer
);
COMMENT ON TABLE shop.coupons IS 'Discount codes of campaigns';

CREATE TABLE shop.carts (
    cart_id      integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id  integer REFERENCES shop.customers,
    updated_at   timestamptz NOT NULL
);
COMMENT ON TABLE shop.carts IS 'Baskets that were filled and not (yet) checked out';

CREATE TABLE shop.cart_items (
    cart_id     integer NOT NULL REFERENCES shop.carts,
    product_id  integer NOT NULL REFERENCES shop.products,
    quantity    integer NOT NULL,
    PRIMARY KEY (cart_id, product_id)
);

CREATE TABLE shop.orders (
    order_id          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id       integer NOT NULL REFERENCES shop.customers,
    ordered_at        timestamptz NOT NULL,
    status            text NOT NULL CHECK (status IN ('new', 'paid', 'shipped', 'delivered', 'cancelled')),
    coupon_code       text REFERENCES shop.coupons,
    shipping_address  integer REFERENCES shop.addresses,
    total_amount      numeric(12, 2) NOT NULL
);
COMMENT ON TABLE shop.orders IS 'Purchases of customers';

CREATE TABLE shop.order_items (
    order_id    integer NOT NULL REFERENCES shop.orders,
    line_no     integer NOT NULL,
    product_id  integer NOT NULL REFERENCES shop.products,
    quantity    integer NOT NULL,
    unit_price  numeric(10, 2) NOT NULL,
    PRIMARY KEY (order_id, line_no)
);
COMMENT ON TABLE shop.order_items IS 'The lines of a purchase: which article, how many, at what price';

CREATE TABLE shop.returns (
    return_id    integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id     integer NOT NULL,
    line_no      integer NOT NULL,
    reason       text NOT NULL CHECK (reason IN ('damaged', 'wrong item', 'not as described', 'changed mind')),
    received_at  date,
    FOREIGN KEY (order_id, line_no) REFERENCES shop.order_items
);
COMMENT ON TABLE shop.returns IS 'Goods that customers sent back';

-- Warehouse ----------------------------------------------------------------------------------------------------------

CREATE TABLE shop.warehouses (
    warehouse_id  integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text NOT NULL,
    address_id    integer REFERENCES shop.addresses
);

CREATE TABLE shop.stock_levels (
    warehouse_id   integer NOT NULL REFERENCES shop.warehouses,
    product_id     integer NOT NULL REFERENCES shop.products,
    on_hand        integer NOT NULL,
    reorder_point  integer NOT NULL,
    PRIMARY KEY (warehouse_id, product_id)
);
COMMENT ON TABLE shop.stock_levels IS 'How many pieces of each article lie where';
COMMENT ON COLUMN shop.stock_levels.reorder_point IS 'Below this many more are ordered';

CREATE TABLE shop.t_inv_mv (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    wh_id   integer NOT NULL REFERENCES shop.warehouses,
    prd_id  integer NOT NULL REFERENCES shop.products,
    qty     integer NOT NULL,
    mv_tp   char(1) NOT NULL,
    ts      timestamptz NOT NULL
);
COMMENT ON COLUMN shop.t_inv_mv.qty IS 'Pieces moved, negative when they leave the warehouse';
COMMENT ON COLUMN shop.t_inv_mv.mv_tp IS 'I inbound, O outbound, C correction after counting';

CREATE TABLE shop.suppliers (
    supplier_id  integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name         text NOT NULL,
    address_id   integer REFERENCES shop.addresses,
    rating       smallint
);
COMMENT ON TABLE shop.suppliers IS 'Companies that we buy from';

CREATE TABLE shop.purchase_orders (
    po_id         integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    supplier_id   integer NOT NULL REFERENCES shop.suppliers,
    placed_on     date NOT NULL,
    expected_on   date,
    received_on   date
);
COMMENT ON TABLE shop.purchase_orders IS 'What was ordered from suppliers to refill the warehouses';

CREATE TABLE shop.purchase_order_lines (
    po_id       integer NOT NULL REFERENCES shop.purchase_orders,
    product_id  integer NOT NULL REFERENCES shop.products,
    quantity    integer NOT NULL,
    unit_cost   numeric(10, 2) NOT NULL,
    PRIMARY KEY (po_id, product_id)
);

CREATE TABLE shop.carriers (carrier_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL);

CREATE TABLE shop.shipments (
    shipment_id      integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id         integer NOT NULL REFERENCES shop.orders,
    carrier_id       integer NOT NULL REFERENCES shop.carriers,
    tracking_number  text,
    shipped_at       timestamptz NOT NULL,
    delivered_at     timestamptz
);
COMMENT ON TABLE shop.shipments IS 'Parcels on their way to customers';

CREATE TABLE shop.page_views (
    viewed_at    timestamptz NOT NULL,
    session_id   text NOT NULL,
    path         text NOT NULL,
    referrer     text,
    customer_id  integer
) PARTITION BY RANGE (viewed_at);
CREATE TABLE shop.page_views_2026_01 PARTITION OF shop.page_views FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE shop.page_views_2026_02 PARTITION OF shop.page_views FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
COMMENT ON TABLE shop.page_views IS 'Clicks of visitors on the website';

-- Finance ------------------------------------------------------------------------------------------------------------

CREATE TABLE finance.invoices (
    invoice_id  integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id    integer NOT NULL REFERENCES shop.orders,
    issued_on   date NOT NULL,
    due_on      date NOT NULL,
    amount      numeric(12, 2) NOT NULL,
    vat_amount  numeric(12, 2) NOT NULL,
    paid_on     date
);
COMMENT ON TABLE finance.invoices IS 'Bills to customers';
COMMENT ON COLUMN finance.invoices.paid_on IS 'Empty while it is unpaid';

CREATE TABLE finance.payments (
    payment_id  integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    invoice_id  integer NOT NULL REFERENCES finance.invoices,
    method      text NOT NULL CHECK (method IN ('card', 'transfer', 'wallet')),
    amount      numeric(12, 2) NOT NULL,
    paid_at     timestamptz NOT NULL
);
COMMENT ON TABLE finance.payments IS 'Money that came in';

CREATE TABLE finance.refunds (
    refund_id   integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payment_id  integer NOT NULL REFERENCES finance.payments,
    amount      numeric(12, 2) NOT NULL,
    reason      text,
    issued_at   timestamptz NOT NULL
);
COMMENT ON TABLE finance.refunds IS 'Money that went back to customers';

CREATE TABLE finance.tax_rates (
    country_code  char(2) NOT NULL REFERENCES shop.countries,
    valid_from    date NOT NULL,
    rate          numeric(5, 2) NOT NULL,
    PRIMARY KEY (country_code, valid_from)
);
COMMENT ON TABLE finance.tax_rates IS 'Value added tax by country, in percent';

CREATE TABLE finance.gl_entries (
    entry_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_no  text NOT NULL,
    booked_on   date NOT NULL,
    debit       numeric(14, 2) NOT NULL DEFAULT 0,
    credit      numeric(14, 2) NOT NULL DEFAULT 0,
    memo        text
);
COMMENT ON TABLE finance.gl_entries IS 'General ledger: every booking';

-- People -------------------------------------------------------------------------------------------------------------

CREATE TABLE hr.departments (
    department_id  integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name           text NOT NULL UNIQUE,
    cost_center    text
);

CREATE TABLE hr.employees (
    employee_id    integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    full_name      text NOT NULL,
    work_email     text NOT NULL UNIQUE,
    job_title      text NOT NULL,
    department_id  integer NOT NULL REFERENCES hr.departments,
    manager_id     integer REFERENCES hr.employees,
    hired_on       date NOT NULL,
    left_on        date
);
COMMENT ON TABLE hr.employees IS 'Staff, also former';
COMMENT ON COLUMN hr.employees.manager_id IS 'Whom this person reports to';
ALTER TABLE shop.support_tickets ADD FOREIGN KEY (handled_by) REFERENCES hr.employees;

CREATE TABLE hr.salaries (
    employee_id  integer NOT NULL REFERENCES hr.employees,
    valid_from   date NOT NULL,
    yearly_gross numeric(12, 2) NOT NULL,
    PRIMARY KEY (employee_id, valid_from)
);
COMMENT ON TABLE hr.salaries IS 'What people earn, and since when';

CREATE TABLE hr.absences (
    absence_id   integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    employee_id  integer NOT NULL REFERENCES hr.employees,
    kind         text NOT NULL CHECK (kind IN ('holiday', 'sick', 'parental', 'other')),
    first_day    date NOT NULL,
    last_day     date NOT NULL
);
COMMENT ON TABLE hr.absences IS 'Days on which somebody does not work';

CREATE TABLE hr.trainings (
    training_id  integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    title        text NOT NULL,
    held_on      date NOT NULL
);

CREATE TABLE hr.training_attendance (
    training_id  integer NOT NULL REFERENCES hr.trainings,
    employee_id  integer NOT NULL REFERENCES hr.employees,
    passed       boolean,
    PRIMARY KEY (training_id, employee_id)
);

CREATE TABLE hr.applicants (
    applicant_id  integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    full_name     text NOT NULL,
    position      text NOT NULL,
    applied_on    date NOT NULL,
    stage         text NOT NULL CHECK (stage IN ('received', 'interview', 'offer', 'rejected', 'hired'))
);
COMMENT ON TABLE hr.applicants IS 'Candidates for open jobs';

-- Views --------------------------------------------------------------------------------------------------------------

CREATE VIEW finance.overdue_invoices AS
SELECT i.*, current_date - i.due_on AS days_late FROM finance.invoices i
WHERE i.paid_on IS NULL AND i.due_on < current_date;
COMMENT ON VIEW finance.overdue_invoices IS 'Bills that should have been paid by now, and how late they are';

CREATE VIEW shop.low_stock AS
SELECT p.sku, p.name, s.warehouse_id, s.on_hand, s.reorder_point
FROM shop.stock_levels s JOIN shop.products p USING (product_id) WHERE s.on_hand < s.reorder_point;

CREATE MATERIALIZED VIEW shop.monthly_sales AS
SELECT date_trunc('month', o.ordered_at)::date AS month, oi.product_id, sum(oi.quantity) AS pieces,
       sum(oi.quantity * oi.unit_price) AS revenue
FROM shop.orders o JOIN shop.order_items oi USING (order_id) WHERE o.status <> 'cancelled' GROUP BY 1, 2;
COMMENT ON MATERIALIZED VIEW shop.monthly_sales IS 'Turnover by month and article, refreshed every night';

-- A little data ------------------------------------------------------------------------------------------------------

INSERT INTO shop.countries VALUES ('DE', 'Germany', true), ('FR', 'France', true), ('CH', 'Switzerland', false);
INSERT INTO shop.addresses (street, city, postal_code, country_code)
SELECT 'Long Road ' || n, (ARRAY['Berlin', 'Lyon', 'Basel'])[1 + n % 3], (10000 + n)::text,
       (ARRAY['DE', 'FR', 'CH'])[1 + n % 3] FROM generate_series(1, 40) n;
INSERT INTO shop.categories (parent_id, name) VALUES (NULL, 'Kitchen'), (NULL, 'Garden'), (1, 'Pots'), (2, 'Tools');
INSERT INTO shop.brands (name, manufacturer) VALUES ('Kettle & Co', 'Kettle Works Ltd'), ('Greenhand', 'Hand Tools AG');
INSERT INTO shop.products (sku, name, category_id, brand_id, unit_price, weight_g, status)
SELECT 'SKU-' || lpad(n::text, 5, '0'), (ARRAY['Pan', 'Spade', 'Kettle', 'Rake'])[1 + n % 4] || ' ' || n, 1 + n % 4, 1 + n % 2,
       9.90 + n, 200 * n, CASE WHEN n % 10 = 0 THEN 'discontinued' ELSE 'active' END FROM generate_series(1, 60) n;
INSERT INTO shop.price_history SELECT product_id, date '2025-01-01', unit_price * 0.9 FROM shop.products;
INSERT INTO shop.customers (full_name, email, phone, password_hash, birth_date, address_id, newsletter, registered_at)
SELECT (ARRAY['Ada', 'Alan', 'Grace', 'Edsger'])[1 + n % 4] || ' Example', 'customer' || n || '@mail.example',
       '+49 30 5550' || (1000 + n), '$2b$12$abcdefghijklmnopqrstuuT0Lx3o0rQ1mZ8aY5vK2cW7dN4eF6gH' || n,
       date '1970-01-01' + n * 300, n, n % 2 = 0, timestamptz '2025-03-01' + n * interval '1 day'
FROM generate_series(1, 30) n;
INSERT INTO shop.payment_cards (customer_id, holder, number, expires)
VALUES (1, 'Ada Example', '4111 1111 1111 1111', '12/29'), (2, 'Alan Example', '5500005555555559', '01/28');
INSERT INTO shop.loyalty_accounts SELECT n, (ARRAY['bronze', 'silver', 'gold'])[1 + n % 3], 10 * n FROM generate_series(1, 20) n;
INSERT INTO shop.coupons VALUES ('SPRING', 10, '2026-05-31', 1000), ('SORRY', 20, '2026-12-31', NULL);
INSERT INTO shop.orders (customer_id, ordered_at, status, shipping_address, total_amount)
SELECT 1 + n % 30, timestamptz '2026-01-01' + n * interval '7 hours',
       (ARRAY['new', 'paid', 'shipped', 'delivered', 'cancelled'])[1 + n % 5], 1 + n % 40, 20 + n FROM generate_series(1, 200) n;
INSERT INTO shop.order_items SELECT n, 1, 1 + n % 60, 1 + n % 3, 9.90 + n % 60 FROM generate_series(1, 200) n;
INSERT INTO shop.returns (order_id, line_no, reason, received_at) VALUES (5, 1, 'damaged', '2026-01-20'), (9, 1, 'changed mind', NULL);
INSERT INTO shop.warehouses (name, address_id) VALUES ('North', 1), ('South', 2);
INSERT INTO shop.stock_levels SELECT 1 + n % 2, n, n % 25, 10 FROM generate_series(1, 60) n;
INSERT INTO shop.t_inv_mv (wh_id, prd_id, qty, mv_tp, ts)
SELECT 1 + n % 2, 1 + n % 60, CASE WHEN n % 3 = 0 THEN -n ELSE n END, (ARRAY['O', 'I', 'C'])[1 + n % 3],
       timestamptz '2026-01-01' + n * interval '1 hour' FROM generate_series(1, 100) n;
INSERT INTO shop.suppliers (name, address_id, rating) VALUES ('Ironmongers Ltd', 3, 4), ('Potters Union', 4, 5);
INSERT INTO shop.carriers (name) VALUES ('Fast Parcel'), ('Blue Van');
INSERT INTO shop.shipments (order_id, carrier_id, tracking_number, shipped_at)
SELECT n, 1 + n % 2, 'TRK' || (100000 + n), timestamptz '2026-01-02' + n * interval '7 hours' FROM generate_series(1, 120) n;
INSERT INTO shop.page_views VALUES ('2026-01-05', 's1', '/pans', 'search', 1), ('2026-02-05', 's2', '/spades', NULL, NULL);
INSERT INTO finance.invoices (order_id, issued_on, due_on, amount, vat_amount, paid_on)
SELECT n, date '2026-01-02' + n / 4, date '2026-01-30' + n / 4, 20 + n, (20 + n) * 0.19,
       CASE WHEN n % 4 > 0 THEN date '2026-01-20' + n / 4 END FROM generate_series(1, 200) n;
INSERT INTO finance.payments (invoice_id, method, amount, paid_at)
SELECT n, (ARRAY['card', 'transfer', 'wallet'])[1 + n % 3], 20 + n, timestamptz '2026-01-20' + n * interval '6 hours'
FROM generate_series(1, 150) n;
INSERT INTO finance.tax_rates VALUES ('DE', '2021-01-01', 19), ('FR', '2014-01-01', 20), ('CH', '2024-01-01', 8.1);
INSERT INTO hr.departments (name, cost_center) VALUES ('Sales', 'C100'), ('Warehouse', 'C200'), ('Service desk', 'C300');
INSERT INTO hr.employees (full_name, work_email, job_title, department_id, manager_id, hired_on)
SELECT 'Employee ' || n, 'e' || n || '@shop.example', (ARRAY['Clerk', 'Picker', 'Agent'])[1 + n % 3], 1 + n % 3,
       CASE WHEN n > 3 THEN 1 + n % 3 END, date '2020-01-01' + n * 40 FROM generate_series(1, 25) n;
INSERT INTO hr.salaries SELECT n, date '2026-01-01', 30000 + 500 * n FROM generate_series(1, 25) n;
REFRESH MATERIALIZED VIEW shop.monthly_sales;
ANALYZE;
